import type { EntityKind, Json } from '../domain/record.js'
import type { ReadableState } from './packed-state.js'
import type { BlobRef } from './record-line.js'
import type { Stamp } from './stamp.js'

/** Last writer wins. The value null means cleared; the stamp stays, so that an older write cannot bring it back. */
export type Register = [stamp: Stamp, value: Json]

/** `rank` is 1 when the move that wrote it closed the entity. */
export type Guarded = [generation: number, stamp: Stamp, rank: 0 | 1, value: Json]

export type Comment = [mark: string, by: string, text: string | BlobRef]

/**
 * All that the log says about one entity, with the stamps that decide between writers. Two states of the same entity
 * can be joined in any order, any number of times, with one outcome.
 */
export interface EntityState {
  id: string
  /** Absent until the `new` was read: the entity is invisible. */
  k?: EntityKind
  /** Random characters to show of a generated key; absent: the key is shown whole. */
  a?: number
  /** The earliest `new`. */
  born?: [mark: string, by: string]
  /** Greatest generation of any valid `new` or `move`. */
  gen: number
  /** Greatest stamp of any valid op. */
  last: Stamp
  reg: Record<string, Register>
  /** Fields that `new` (status and assignee only) and `move` wrote. */
  grd: Record<string, Guarded>
  set: Record<string, Record<string, [stamp: Stamp, present: 0 | 1]>>
  say: Comment[]
  gone?: Stamp
  /** By what was purged (`*`, `f:<field>`, `c:<mark>`): nothing written up to this stamp may be kept. */
  pur?: Record<string, Stamp>
  /** Greatest generation within each clone's chain: what makes a record void. */
  ch: Record<string, number>
}

/** These change by `new` and `move` only; a `set` of them has no effect. */
export function isAlwaysGuarded(field: string): boolean {
  return field === 'status' || field === 'assignee'
}

export function emptyState(id: string): EntityState {
  return { id, gen: 0, last: '', reg: {}, grd: {}, set: {}, say: [], ch: {} }
}

/** Names come from the log and may be `constructor` or `__proto__`: only own properties count. */
export function own<T>(object: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

export function put<T>(object: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}

/** Equal stamps: the same record, whose later op counts. */
export function joinRegister(state: EntityState, field: string, written: Register): void {
  const theirs: Register = isPurged(state, `f:${field}`, written[0]) ? [written[0], null] : written
  const ours = own(state.reg, field)
  if (ours === undefined || theirs[0] >= ours[0]) put(state.reg, field, theirs)
}

/** Higher generation, then closed, then the earliest stamp: the order in which claims win between clones. */
export function joinGuarded(state: EntityState, field: string, written: Guarded): void {
  const theirs = scrubbedGuarded(state, field, written)
  const ours = own(state.grd, field)
  if (ours === undefined || outranks(theirs, ours)) put(state.grd, field, theirs)
}

function outranks(a: Guarded, b: Guarded): boolean {
  if (a[0] !== b[0]) return a[0] > b[0]
  if (a[2] !== b[2]) return a[2] > b[2]
  return a[1] < b[1]
}

export function joinElement(
  state: EntityState,
  field: string,
  element: string,
  stamp: Stamp,
  present: 0 | 1,
): void {
  if (isPurged(state, `f:${field}`, stamp)) return
  let elements = own(state.set, field)
  if (elements === undefined) {
    elements = {}
    put(state.set, field, elements)
  }
  const ours = own(elements, element)
  if (ours === undefined || stamp >= ours[0]) put(elements, element, [stamp, present])
}

/** Kept in order of marks, each once. */
export function joinComment(state: EntityState, written: Comment): void {
  const comment = scrubbedComment(state, written)
  let at = state.say.length
  while (at > 0 && (state.say[at - 1]?.[0] ?? '') > comment[0]) at--
  if (at > 0 && state.say[at - 1]?.[0] === comment[0]) return
  state.say.splice(at, 0, comment)
}

export function joinBirth(
  state: EntityState,
  birth: Required<Pick<EntityState, 'k' | 'born'>> & { a?: number },
): void {
  if (state.born !== undefined && state.born[0] <= birth.born[0]) return
  state.born = birth.born
  state.k = birth.k
  if (birth.a === undefined) delete state.a
  else state.a = birth.a
}

/**
 * What was written is destroyed where it is kept: here, and wherever it arrives later. Values become null and comments
 * empty, whose places stay, so that a copy that was purged and one that was not join to the same in any order.
 */
export function joinPurge(state: EntityState, what: string, stamp: Stamp): void {
  state.pur ??= {}
  if (stamp <= (own(state.pur, what) ?? '')) return
  put(state.pur, what, stamp)
  for (const [field, register] of Object.entries(state.reg)) {
    if (isPurged(state, `f:${field}`, register[0])) put(state.reg, field, [register[0], null])
  }
  for (const [field, guarded] of Object.entries(state.grd)) {
    put(state.grd, field, scrubbedGuarded(state, field, guarded))
  }
  for (const [field, elements] of Object.entries(state.set)) {
    const kept = Object.entries(elements).filter(([, [at]]) => !isPurged(state, `f:${field}`, at))
    if (kept.length === 0) delete state.set[field]
    else if (kept.length < Object.keys(elements).length) put(state.set, field, Object.fromEntries(kept))
  }
  state.say = state.say.map((comment) => scrubbedComment(state, comment))
}

/** @param stamp - when it was written; all of an entity that was purged as a whole is, whenever that was */
function isPurged(state: EntityState, what: string, stamp: Stamp): boolean {
  const { pur } = state
  if (pur === undefined) return false
  return Object.hasOwn(pur, '*') || stamp <= (own(pur, what) ?? '')
}

/** Whose turn it is, is no secret; without a status an entity would be of no state at all. */
function scrubbedGuarded(state: EntityState, field: string, guarded: Guarded): Guarded {
  const [generation, stamp, rank] = guarded
  if (field === 'status' || !isPurged(state, `f:${field}`, stamp)) return guarded
  return [generation, stamp, rank, null]
}

function scrubbedComment(state: EntityState, comment: Comment): Comment {
  const [mark, by] = comment
  return isPurged(state, `c:${mark}`, mark) ? [mark, by, PURGED] : comment
}

/** Stands where a comment stood. */
export const PURGED = '[purged]'

/** Adds what a compacted line of `chain` says. */
export function joinState(state: EntityState, theirs: EntityState, chain: string): void {
  for (const [what, stamp] of Object.entries(theirs.pur ?? {})) joinPurge(state, what, stamp)
  if (theirs.k !== undefined && theirs.born !== undefined) {
    joinBirth(state, { k: theirs.k, born: theirs.born, ...(theirs.a === undefined ? {} : { a: theirs.a }) })
  }
  for (const [field, register] of Object.entries(theirs.reg)) joinRegister(state, field, register)
  for (const [field, guarded] of Object.entries(theirs.grd)) joinGuarded(state, field, guarded)
  for (const [field, elements] of Object.entries(theirs.set)) {
    for (const [element, [stamp, present]] of Object.entries(elements)) {
      joinElement(state, field, element, stamp, present)
    }
  }
  for (const comment of theirs.say) joinComment(state, comment)
  if (theirs.gone !== undefined && theirs.gone > (state.gone ?? '')) state.gone = theirs.gone
  if (theirs.last > state.last) state.last = theirs.last
  raiseGeneration(state, chain, theirs.gen)
}

export function raiseGeneration(state: EntityState, chain: string, generation: number): void {
  if (generation > state.gen) state.gen = generation
  if (generation > (own(state.ch, chain) ?? 0)) state.ch[chain] = generation
}

export function isVisible(state: ReadableState): boolean {
  return state.k !== undefined && state.gone === undefined
}

type Plain = readonly [stamp: Stamp | number, value: Json]
type Moved = readonly [generation: number, stamp: Stamp | number, rank: 0 | 1, value: Json]

/** The value that counts: a move's, unless the field is a free one that was set later. Undefined when absent. */
export function fieldValue(state: ReadableState, field: string): Json | undefined {
  const guarded = own<Moved>(state.grd, field)
  const plain = isAlwaysGuarded(field) ? undefined : own<Plain>(state.reg, field)
  const value =
    guarded === undefined ? plain?.[1] : plain !== undefined && plain[0] > guarded[1] ? plain[1] : guarded[3]
  return value === null ? undefined : value
}

/** Every name that ever held a value, cleared ones included. */
export function fieldNames(state: ReadableState): string[] {
  const names = Object.keys(state.reg)
  for (const name of Object.keys(state.grd)) if (!Object.hasOwn(state.reg, name)) names.push(name)
  return names
}

/** Present elements, sorted. */
export function setElements(elements: Readonly<Record<string, readonly [Stamp | number, 0 | 1]>>): string[] {
  const present: string[] = []
  for (const [element, [, flag]] of Object.entries(elements)) if (flag === 1) present.push(element)
  return present.sort()
}
