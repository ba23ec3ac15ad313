import { BugError } from '../domain/errors.js'
import type { Fields, PastOp } from '../domain/record.js'
import { sortedJson } from '../domain/same-json.js'
import { textHash } from '../domain/text-hash.js'
import { type EntityState, emptyState, joinPurge, own, put } from './entity-state.js'
import type { EntityTable } from './entity-table.js'
import { packState } from './packed-state.js'
import type { LogOp } from './record-line.js'
import { isStamp, markOf, type Stamp } from './stamp.js'

/**
 * A `past` op as it stands in the log: an `st`, as compaction writes them, whose stamps say when each value was given where
 * it comes from. The stamps are made of the content, so that two machines that take the same file write the same, and equal
 * stamps never stand for different values.
 */
export function pastState(table: EntityTable, op: PastOp): Extract<LogOp, { o: 'st' }> {
  const known = table.find(op.id)
  const stamp = contentStamp(op.at, counterFor(known, op), sortedJson(contentOf(op)))
  const state = emptyState(op.id)
  if (op.born !== undefined) {
    state.k = op.k
    state.gen = 1
    const { at, by } = op.born
    state.born = [markOf(contentStamp(at, 0, `${op.id}\n${op.k}\n${by}`), 0), by]
    for (const [field, value] of Object.entries(op.first ?? {}))
      put(state.grd, field, [1, stamp, isClosing(op.first) ? 1 : 0, value])
  }
  for (const [field, value] of Object.entries(op.f)) put(state.reg, field, [stamp, value])
  for (const [field, elements] of Object.entries(op.add ?? {})) flag(state, field, elements, stamp, 1)
  for (const [field, elements] of Object.entries(op.del ?? {})) flag(state, field, elements, stamp, 0)
  state.say = (op.say ?? []).map(({ id, by, text }) => [checkedMark(id), by, text])
  if (op.gone === true) state.gone = stamp
  state.last = stamp
  // What was purged and is older than that must not even be written: the line would hold it until the next purge.
  for (const [what, purged] of Object.entries(known?.pur ?? {})) joinPurge(state, what, purged)
  delete state.pur
  const { ch: _, ...packed } = packState(state)
  return { o: 'st', ...packed }
}

/** Without the comments: each of them has a mark of its own. */
function contentOf({ id, k, f, first = {}, add = {}, del = {}, gone = false }: PastOp) {
  return { id, k, f, first, add, del, gone }
}

function isClosing(first: Fields | undefined): boolean {
  return first?.status === 'closed'
}

function flag(state: EntityState, field: string, elements: readonly string[], stamp: Stamp, present: 0 | 1) {
  const flags = own(state.set, field) ?? {}
  for (const element of elements) put(flags, element, [stamp, present])
  put(state.set, field, flags)
}

/** Of two imports with one date the later counts: its stamps get a higher counter. */
function counterFor(known: EntityState | undefined, op: PastOp): number {
  let counter = 0
  const pass = (stamp: Stamp | undefined) => {
    if (stamp?.startsWith(op.at)) counter = Math.max(counter, Number.parseInt(stamp.slice(25, 29), 16) + 1)
  }
  if (known === undefined) return 0
  for (const field of Object.keys(op.f)) pass(own(known.reg, field)?.[0])
  for (const changes of [op.add ?? {}, op.del ?? {}]) {
    for (const [field, elements] of Object.entries(changes)) {
      for (const element of elements) pass(own(own(known.set, field) ?? {}, element)?.[0])
    }
  }
  return Math.min(counter, 0xffff)
}

function contentStamp(at: string, counter: number, content: string): Stamp {
  const hash = textHash(content)
  const stamp = `${at}-${counter.toString(16).padStart(4, '0')}-${hash.slice(0, 5)}-${hash.slice(5)}`
  if (!isStamp(stamp)) throw new BugError(`store: "${at}" is not a time`, { code: 'bad-op' })
  return stamp
}

function checkedMark(mark: string): string {
  if (isStamp(mark.slice(0, 42)) && /^\.[0-9a-f]{4}$/.test(mark.slice(42))) return mark
  throw new BugError(`store: "${mark}" cannot name a comment`, { code: 'bad-op' })
}
