import type { Entity, Fields, Op, PastOp } from '../record.js'
import { getOwn, sameJson, setOwn, sortedJson } from '../same-json.js'
import { type Incoming, shapeOfIncoming } from './read-issue.js'
import {
  type BdMemory,
  bdIssue,
  differences,
  type EntityParts,
  memoryOf,
  memoryText,
  shapeOf,
} from './shape.js'

export type ImportPlan =
  | { kind: 'created' | 'updated'; ops: Op[]; kept: string[] }
  | { kind: 'unchanged' }
  /** Something later is here, or work that an import must not touch. */
  | { kind: 'kept'; why: string }
  | { kind: 'refused'; why: string }

/** What is here already; an entity that is gone has only its time. */
export interface Existing {
  parts?: EntityParts
  goneAt?: string
}

export function planImport(incoming: Incoming, existing: Existing): ImportPlan {
  const { parts } = existing
  if (parts === undefined) {
    if (existing.goneAt === undefined) return { kind: 'created', ops: [creation(incoming)], kept: [] }
    return incoming.isGone ? { kind: 'unchanged' } : { kind: 'kept', why: 'it was deleted here' }
  }
  const { entity, times } = parts
  if (entity.kind !== incoming.kind)
    return { kind: 'refused', why: `${incoming.id} is the id of a ${entity.kind} here` }
  if (sortedJson(bdIssue(shapeOf(parts))) === sortedJson(incoming.issue)) return { kind: 'unchanged' }
  const importedAt = times.fields.bd ?? ''
  if (importedAt > incoming.at)
    return { kind: 'kept', why: `a later import (${importedAt}) was taken already` }
  // What was taken out of it on purpose must not come back with an old file.
  if (times.purgedAt !== undefined && times.purgedAt >= incoming.at && !incoming.isGone)
    return { kind: 'kept', why: `parts of it were purged here after that (${times.purgedAt})` }
  return incoming.isGone ? planDeletion(incoming, parts) : planUpdate(incoming, parts)
}

function creation(incoming: Incoming): Op {
  const { id, kind, at, createdAt, createdBy, status, assignee, comments, isGone, memory } = incoming
  return {
    o: 'past',
    id,
    k: kind,
    at,
    born: { at: createdAt, by: createdBy },
    first: { status, ...(assignee === undefined ? {} : { assignee }) },
    f: { ...incoming.fields, bd: memoryText(memory) },
    add: filled({ labels: incoming.labels, ...elements(incoming) }),
    say: comments,
    ...(isGone ? { gone: true } : {}),
  }
}

/** What a convoy tracks is its own set; everything else that depends is in `deps`. */
function elements({ kind, deps }: Incoming): Record<string, string[]> {
  if (kind !== 'convoy') return { deps }
  return {
    deps: deps.filter((element) => !element.startsWith('tracks:')),
    beads: deps.filter((element) => element.startsWith('tracks:')).map((element) => element.slice(7)),
  }
}

function filled(sets: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(sets).filter(([, list]) => list.length > 0))
}

function isBusy(entity: Entity): boolean {
  return entity.fields.status === 'hooked' || entity.fields.status === 'in_review'
}

function planDeletion(incoming: Incoming, parts: EntityParts): ImportPlan {
  if (isBusy(parts.entity)) return { kind: 'kept', why: 'it is being worked on here' }
  if (shapeOf(parts).updatedAt > incoming.at)
    return { kind: 'kept', why: 'it was changed here after it was deleted there' }
  const { id, kind, at, memory } = incoming
  const f = { ...incoming.fields, bd: memoryText(memory) }
  return { kind: 'updated', ops: [{ o: 'past', id, k: kind, at, f, gone: true }], kept: [] }
}

function planUpdate(incoming: Incoming, parts: EntityParts): ImportPlan {
  const { entity } = parts
  const before = memoryOf(entity.fields)
  const kept: string[] = []
  const f = changedFields(incoming, parts, before, kept)
  const sets = changedSets(incoming, parts, before, kept)
  const move = changedStatus(incoming, parts, before, kept)
  const known = new Set(parts.comments.map(({ id }) => id))
  const say = incoming.comments.filter(({ id }) => !known.has(id))
  const bd = memoryText(nextMemory(incoming, entity, before, move !== undefined))
  const hasChange = Object.keys(f).length + say.length + sets.count > 0 || move !== undefined
  if (!hasChange && bd === entity.fields.bd) {
    return kept.length > 0
      ? { kind: 'kept', why: `changed here since: ${kept.join(', ')}` }
      : { kind: 'unchanged' }
  }
  if (!hasChange && kept.length > 0 && before === undefined)
    return { kind: 'kept', why: `changed here since: ${kept.join(', ')}` }
  const past: PastOp = { o: 'past', id: incoming.id, k: entity.kind, at: incoming.at, f: { ...f, bd }, say }
  if (Object.keys(sets.add).length > 0) past.add = sets.add
  if (Object.keys(sets.del).length > 0) past.del = sets.del
  return { kind: 'updated', ops: move === undefined ? [past] : [past, move], kept }
}

function nextMemory(
  incoming: Incoming,
  entity: Entity,
  before: BdMemory | undefined,
  hasMoved: boolean,
): BdMemory {
  const marks = new Set(incoming.comments.map(({ id }) => id))
  const dropped = [...(before?.comments.map(({ m }) => m) ?? []), ...(before?.dropped ?? [])]
  const isImported = before !== undefined && entity.generation === before.gen
  const gen = hasMoved
    ? entity.generation + 1
    : isImported || sameStatus(incoming, entity)
      ? entity.generation
      : 0
  // When and by whom it was made is the one thing that no import changes: the earliest counts.
  const shape = { ...shapeOfIncoming(incoming), createdAt: entity.createdAt, createdBy: entity.createdBy }
  const raw = differences(shape, incoming.issue)
  return { ...incoming.memory, raw, gen, dropped: [...new Set(dropped)].filter((mark) => !marks.has(mark)) }
}

function sameStatus(incoming: Incoming, entity: Entity): boolean {
  return entity.fields.status === incoming.status && entity.fields.assignee === incoming.assignee
}

function changedFields(
  incoming: Incoming,
  { entity, times }: EntityParts,
  before: BdMemory | undefined,
  kept: string[],
): Fields {
  const f: Fields = {}
  const change = (name: string, value: Fields[string]) => {
    if ((getOwn(times.fields, name) ?? '') > incoming.at) kept.push(name)
    else setOwn(f, name, value)
  }
  for (const [name, value] of Object.entries(incoming.fields)) {
    if (!sameJson(value, getOwn(entity.fields, name))) change(name, value)
  }
  for (const name of before?.names ?? []) {
    const isAway = getOwn(incoming.fields, name) === undefined && getOwn(entity.fields, name) !== undefined
    if (isAway) change(name, null)
  }
  return f
}

function changedSets(
  incoming: Incoming,
  { entity, times }: EntityParts,
  before: BdMemory | undefined,
  kept: string[],
) {
  const add: Record<string, string[]> = {}
  const del: Record<string, string[]> = {}
  const theirs: Record<string, string[]> = { labels: incoming.labels, ...elements(incoming) }
  const brought = [
    ...(before?.labels ?? []),
    ...(before?.deps ?? []).flatMap(({ e }) => [e, e.replace(/^tracks:/, '')]),
  ]
  for (const [name, wanted] of Object.entries(theirs)) {
    const here = entity.sets[name] ?? []
    const isLater = (element: string) => {
      const late = (getOwn(getOwn(times.sets, name) ?? {}, element) ?? '') > incoming.at
      if (late) kept.push(`${name} ${element}`)
      return late
    }
    const adding = wanted.filter((element) => !here.includes(element) && !isLater(element))
    const removing = here.filter(
      (element) => brought.includes(element) && !wanted.includes(element) && !isLater(element),
    )
    if (adding.length > 0) add[name] = adding
    if (removing.length > 0) del[name] = removing
  }
  return { add, del, count: Object.keys(add).length + Object.keys(del).length }
}

function changedStatus(
  incoming: Incoming,
  { entity, times }: EntityParts,
  before: BdMemory | undefined,
  kept: string[],
): Op | undefined {
  if (sameStatus(incoming, entity)) return undefined
  // A mail that was read here stays read, whatever its sender's store says.
  const isImported = before !== undefined && entity.generation === before.gen
  const isRead = entity.kind === 'mail' && incoming.status === 'unread' && !isImported
  const since = isImported ? (times.fields.bd ?? '') : (times.fields.status ?? '')
  if (isBusy(entity) || isRead || since > incoming.at) {
    kept.push(isBusy(entity) ? 'status (it is being worked on here)' : 'status')
    return undefined
  }
  const { status, assignee = null } = incoming
  return { o: 'move', id: entity.id, gen: entity.generation + 1, f: { status, assignee } }
}
