import { UsageError } from '../errors.js'
import { beadId } from '../ids.js'
import type { Comment, EntityKind, Fields, Json } from '../record.js'
import { setOwn, sortedJson } from '../same-json.js'
import { textHash } from '../text-hash.js'
import { kindOfType, registerName, statusHere } from './fields.js'
import { type BdIssue, type BdMemory, bdIssue, differences, type Shape } from './shape.js'

/** A line of bd, taken apart into what the store keeps. */
export interface Incoming {
  issue: BdIssue
  id: string
  kind: EntityKind
  /** When it held: its `updated_at`, in ms, never in the future. */
  at: string
  createdAt: string
  createdBy: string
  /** Without status and assignee. */
  fields: Fields
  status: string
  assignee: string | undefined
  labels: string[]
  deps: string[]
  comments: Comment[]
  isGone: boolean
  memory: BdMemory
}

export interface ReadOptions {
  nowMs: number
  /** The name that somebody has here. */
  address?: (theirs: string) => string
  /** The rig of a bead, when it is known from elsewhere. */
  rig?: string
}

/** @throws UsageError for an id that cannot be one here */
export function readIssue(issue: BdIssue, options: ReadOptions): Incoming {
  const id = beadId(typeof issue.id === 'string' ? issue.id : '')
  refuseReserved(issue)
  const kind = kindOfType(issue.issue_type)
  const createdAt = timeOf(issue.created_at) ?? timeOf(issue.updated_at) ?? NEVER
  const at = earlier(timeOf(issue.updated_at) ?? createdAt, new Date(options.nowMs).toISOString())
  const comments = readComments(id, issue.comments)
  const deps = readDeps(issue.dependencies)
  const incoming: Incoming = {
    issue,
    id,
    kind,
    at,
    createdAt,
    createdBy: typeof issue.created_by === 'string' ? issue.created_by : '',
    fields: readFields(kind, issue, options),
    status: statusHere(kind, issue),
    assignee: typeof issue.assignee === 'string' ? addressed(options, issue.assignee) : undefined,
    labels: readLabels(issue.labels),
    deps: [...new Set(deps.map(({ e }) => e))].sort(),
    comments: comments.map(({ comment }) => comment),
    isGone: issue.status === 'tombstone',
    memory: {
      gen: 1,
      names: [],
      labels: [],
      deps,
      comments: comments.map(({ comment, rest }) => ({ m: comment.id, r: rest })),
      dropped: [],
      raw: {},
    },
  }
  incoming.memory.names = Object.keys(incoming.fields)
  incoming.memory.labels = incoming.labels
  incoming.memory.raw = differences(shapeOfIncoming(incoming), issue)
  return incoming
}

/** The entity as it is when nothing but this line was ever known of it. */
export function shapeOfIncoming(incoming: Incoming): Shape {
  const { id, kind, labels, deps, comments, createdAt, createdBy, at, memory, isGone } = incoming
  return {
    id,
    kind,
    fields: {
      ...incoming.fields,
      status: incoming.status,
      ...(incoming.assignee === undefined ? {} : { assignee: incoming.assignee }),
    },
    labels,
    deps,
    comments,
    createdAt,
    createdBy,
    updatedAt: at,
    closedAt: at,
    isGone,
    memory,
  }
}

/** Whether writing it again gives the line back; false would be a mistake of ours, and is looked at before anything is written. */
export function isKept(incoming: Incoming): boolean {
  return sortedJson(bdIssue(shapeOfIncoming(incoming))) === sortedJson(incoming.issue)
}

/** The store writes long texts so; a value of that form would be read as one. */
function refuseReserved(issue: BdIssue): void {
  for (const value of [...Object.values(issue), ...Object.values(objectOr(issue.metadata))]) {
    const { $blob: name, ...others } = objectOr(value)
    if (typeof name === 'string' && /^[0-9a-f]{64}$/.test(name) && Object.keys(others).length === 0)
      throw new UsageError('a value {"$blob": …} cannot be kept', { code: 'reserved-value' })
  }
}

const NEVER = '1970-01-01T00:00:00.000Z'

/** ISO, UTC, ms; undefined for what is no time, or none of the years 0 to 9999. */
export function timeOf(value: Json | undefined): string | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d[T ]/.test(value)) return undefined
  const ms = Date.parse(value)
  if (Number.isNaN(ms)) return undefined
  const iso = new Date(ms).toISOString()
  return iso.length === 24 ? iso : undefined
}

function earlier(a: string, b: string): string {
  return a < b ? a : b
}

function addressed({ address }: ReadOptions, theirs: string): string {
  return address === undefined ? theirs : address(theirs)
}

/** These have a place of their own. */
const TAKEN_APART = new Set([
  'id',
  'status',
  'gt_status',
  'assignee',
  'labels',
  'dependencies',
  'comments',
  'metadata',
  'created_at',
  'created_by',
  'updated_at',
])

function readFields(kind: EntityKind, issue: BdIssue, options: ReadOptions): Fields {
  const fields: Fields = {}
  for (const [field, value] of Object.entries(issue)) {
    // null clears a register, so it cannot stand in one: what differs is kept word for word.
    if (TAKEN_APART.has(field) || value === null) continue
    const isSender = kind === 'mail' && field === 'sender' && typeof value === 'string'
    setOwn(fields, registerName(kind, field), isSender ? addressed(options, value) : value)
  }
  for (const [key, value] of Object.entries(objectOr(issue.metadata))) {
    if (value !== null) setOwn(fields, `meta.${key}`, value)
  }
  if (options.rig !== undefined && kind === 'bead') fields.rig ??= options.rig
  return fields
}

function objectOr(value: Json | undefined): Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function readLabels(value: Json | undefined): string[] {
  if (!Array.isArray(value)) return []
  return [...new Set(value.filter((label): label is string => typeof label === 'string'))].sort()
}

/** All or none: a list that holds anything else is kept word for word, and nothing here waits for it. */
function readDeps(value: Json | undefined): BdMemory['deps'] {
  if (!Array.isArray(value)) return []
  const deps: BdMemory['deps'] = []
  for (const one of value) {
    const { type, depends_on_id: target, ...rest } = objectOr(one)
    if (typeof type !== 'string' || typeof target !== 'string' || type.includes(':') || type === '') return []
    deps.push({ e: `${type}:${target}`, r: rest })
  }
  return deps
}

interface ReadComment {
  comment: Comment
  rest: Record<string, Json>
}

function readComments(bead: string, value: Json | undefined): ReadComment[] {
  if (!Array.isArray(value)) return []
  const read: ReadComment[] = []
  const marks = new Set<string>()
  for (const one of value) {
    const { author, text, created_at: created, ...rest } = objectOr(one)
    const at = timeOf(created)
    if (typeof author !== 'string' || typeof text !== 'string' || at === undefined) return []
    let id =
      typeof rest.id === 'string' && isMark(rest.id, at) ? rest.id : markOf(at, [bead, author, text, rest])
    // The same words at the same moment, twice.
    for (let nth = 1; marks.has(id); nth++) id = markOf(at, [bead, author, text, rest, nth])
    marks.add(id)
    read.push({
      comment: { id, at, by: author, text },
      rest: created === at ? rest : { ...rest, created_at: created ?? null },
    })
  }
  return read
}

/** A comment that a gt made keeps its name on the way through a file. */
function isMark(id: string, at: string): boolean {
  return (
    id.startsWith(at) &&
    /^.{24}-[0-9a-f]{4}-[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{6}\.[0-9a-f]{4}$/.test(id)
  )
}

function markOf(at: string, content: Json): string {
  const hash = textHash(sortedJson(content))
  return `${at}-0000-${hash.slice(0, 5)}-${hash.slice(5)}.0000`
}
