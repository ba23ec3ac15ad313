import type { Comment, Entity, EntityKind, Json } from '../record.js'
import { getOwn, sameJson, setOwn, sortedJson } from '../same-json.js'
import { textHash } from '../text-hash.js'
import { fieldName, statusThere, typeOfKind } from './fields.js'

/** An issue as bd writes it: one line of JSON. */
export type BdIssue = Record<string, Json>

/** What an import keeps of a line beside the values themselves, in the register `bd`, so that the line can be written again. */
export interface BdMemory {
  /** Generation whose status is still the imported one. */
  gen: number
  /** Registers, labels and dependencies that the import brought: only these does a later import take away. */
  names: string[]
  labels: string[]
  /** In their order, with what bd says of them besides. */
  deps: { e: string; r: Record<string, Json> }[]
  comments: { m: string; r: Record<string, Json> }[]
  /** Marks of comments that an earlier import brought and a later one did not have. */
  dropped: string[]
  /** Fields that bd writes otherwise than we would: what stands there, and a hash of what we would write. */
  raw: Record<string, { was: string; v?: Json }>
}

/** An entity in the middle between the store and a line of bd. */
export interface Shape {
  id: string
  kind: EntityKind
  fields: Readonly<Record<string, Json>>
  labels: readonly string[]
  deps: readonly string[]
  comments: readonly Comment[]
  createdAt: string
  createdBy: string
  updatedAt: string
  closedAt: string | undefined
  isGone: boolean
  memory: BdMemory | undefined
}

/** The line of an entity, exactly as it came when nothing of it was changed since. */
export function bdIssue(shape: Shape): BdIssue {
  const issue = plainIssue(shape)
  for (const [field, { was, ...kept }] of Object.entries(shape.memory?.raw ?? {})) {
    if (hashOf(getOwn(issue, field)) !== was) continue
    if (kept.v === undefined) delete issue[field]
    else setOwn(issue, field, kept.v)
  }
  return issue
}

/** What must be kept so that `bdIssue` of `shape` gives `issue` again. */
export function differences(shape: Shape, issue: BdIssue): BdMemory['raw'] {
  const ours = plainIssue(shape)
  const raw: BdMemory['raw'] = {}
  for (const field of new Set([...Object.keys(ours), ...Object.keys(issue)])) {
    const mine = getOwn(ours, field)
    const theirs = getOwn(issue, field)
    if (sameJson(mine, theirs)) continue
    setOwn(raw, field, { was: hashOf(mine), ...(theirs === undefined ? {} : { v: theirs }) })
  }
  return raw
}

function hashOf(value: Json | undefined): string {
  return value === undefined ? '' : textHash(sortedJson(value))
}

function plainIssue(shape: Shape): BdIssue {
  const issue: BdIssue = { id: shape.id, ...statusFields(shape) }
  for (const [register, value] of Object.entries(shape.fields)) addField(issue, shape.kind, register, value)
  if (shape.memory === undefined && issue.issue_type === undefined) issue.issue_type = typeOfKind(shape.kind)
  if (shape.labels.length > 0) issue.labels = [...shape.labels]
  if (shape.deps.length > 0) issue.dependencies = dependencies(shape)
  const comments = commentsOf(shape)
  if (comments.length > 0) issue.comments = comments
  issue.created_at = shape.createdAt
  if (shape.createdBy !== '') issue.created_by = shape.createdBy
  issue.updated_at = shape.updatedAt
  if (shape.closedAt !== undefined && issue.status === 'closed' && issue.closed_at === undefined)
    issue.closed_at = shape.closedAt
  return issue
}

function statusFields({ kind, fields, isGone }: Shape): BdIssue {
  const { status, gtStatus } = statusThere(kind, typeof fields.status === 'string' ? fields.status : 'open')
  if (isGone) return { status: 'tombstone' }
  return { status, ...(gtStatus === undefined ? {} : { gt_status: gtStatus }) }
}

function addField(issue: BdIssue, kind: EntityKind, register: string, value: Json): void {
  if (register === 'status' || register === 'bd') return
  if (register.startsWith('meta.')) {
    issue.metadata ??= {}
    setOwn(issue.metadata as Record<string, Json>, register.slice(5), value)
    return
  }
  const name = fieldName(kind, register)
  if (name !== undefined) setOwn(issue, name, value)
}

function dependencies({ id, deps, memory }: Shape): Json[] {
  const written = (memory?.deps ?? []).filter(({ e }) => deps.includes(e))
  const others = deps.filter((element) => !written.some(({ e }) => e === element))
  return [
    ...written.map(({ e, r }) => ({ ...r, ...splitElement(e) })),
    ...others.map((element) => ({ issue_id: id, ...splitElement(element) })),
  ]
}

function splitElement(element: string): { type: string; depends_on_id: string } {
  const colon = element.indexOf(':')
  return { type: element.slice(0, colon), depends_on_id: element.slice(colon + 1) }
}

function commentsOf({ id, comments, memory }: Shape): Json[] {
  const byMark = new Map(comments.map((comment) => [comment.id, comment]))
  const written: Json[] = []
  for (const { m, r } of memory?.comments ?? []) {
    const comment = byMark.get(m)
    byMark.delete(m)
    if (comment) written.push({ created_at: comment.at, ...r, author: comment.by, text: comment.text })
  }
  for (const mark of memory?.dropped ?? []) byMark.delete(mark)
  const own = [...byMark.values()].map((comment) => ({
    id: comment.id,
    issue_id: id,
    author: comment.by,
    text: comment.text,
    created_at: comment.at,
  }))
  return [...written, ...own]
}

/** The memory that an entity carries, when it was ever imported. */
export function memoryOf(fields: Readonly<Record<string, Json>>): BdMemory | undefined {
  if (typeof fields.bd !== 'string') return undefined
  // Only imports write it.
  const parts = JSON.parse(fields.bd) as Partial<BdMemory>
  return {
    gen: parts.gen ?? 0,
    names: parts.names ?? [],
    labels: parts.labels ?? [],
    deps: parts.deps ?? [],
    comments: parts.comments ?? [],
    dropped: parts.dropped ?? [],
    raw: parts.raw ?? {},
  }
}

/** As a text: whoever lists a thousand beads need not take a thousand memories apart. */
export function memoryText(memory: BdMemory): string {
  const kept = Object.entries(memory).filter(
    ([, part]) => typeof part === 'number' || Object.keys(part).length > 0,
  )
  return sortedJson(Object.fromEntries(kept) as Json)
}

export type EntityParts = { entity: Entity; comments: readonly Comment[]; times: EntityTimesLike }

interface EntityTimesLike {
  purgedAt?: string
  fields: Readonly<Record<string, string>>
  sets: Readonly<Record<string, Readonly<Record<string, string>>>>
  goneAt?: string
}

const DEPENDENCY_SETS = ['deps', 'beads']

export function shapeOf({ entity, comments, times }: EntityParts): Shape {
  const memory = memoryOf(entity.fields)
  const tracked = (entity.sets.beads ?? []).map((bead) => `tracks:${bead}`)
  const deps =
    entity.kind === 'convoy' ? [...(entity.sets.deps ?? []), ...tracked].sort() : (entity.sets.deps ?? [])
  return {
    id: entity.id,
    kind: entity.kind,
    fields: entity.fields,
    labels: entity.sets.labels ?? [],
    deps,
    comments,
    createdAt: entity.createdAt,
    createdBy: entity.createdBy,
    updatedAt: memory === undefined ? entity.updatedAt : changedSince(entity, comments, times, memory),
    closedAt: entity.generation === memory?.gen ? times.fields.bd : times.fields.status,
    isGone: times.goneAt !== undefined,
    memory,
  }
}

/** The latest time of anything; what the import itself did here does not count. */
function changedSince(
  entity: Entity,
  comments: readonly Comment[],
  times: EntityTimesLike,
  memory: BdMemory,
): string {
  const imported = new Set([...memory.comments.map(({ m }) => m), ...memory.dropped])
  const isStatusImported = entity.generation === memory.gen
  let latest = ''
  const note = (time: string) => {
    if (time > latest) latest = time
  }
  for (const [field, time] of Object.entries(times.fields)) {
    if (!(isStatusImported && (field === 'status' || field === 'assignee'))) note(time)
  }
  for (const name of ['labels', ...DEPENDENCY_SETS]) Object.values(times.sets[name] ?? {}).forEach(note)
  for (const comment of comments) if (!imported.has(comment.id)) note(comment.at)
  return latest
}
