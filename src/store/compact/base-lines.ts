import type { EntityState } from '../entity-state.js'
import type { EntityTable } from '../entity-table.js'
import type { StoredEvent } from '../fold.js'
import { FORMAT } from '../layout.js'
import { packState } from '../packed-state.js'
import { encodeRecord, type LogOp } from '../record-line.js'
import type { Stamp } from '../stamp.js'

const STAMP_LENGTH = 42

export interface BaseContent {
  table: EntityTable
  upTo: number
  /** Events with a lower stamp are left out. */
  eventsFrom: Stamp
  /** Stamp of the trailer when the chain has none of its own. */
  fallbackStamp: Stamp
}

/**
 * The lines of a base: a head, one `st` for each entity in order of birth, then the events, then the trailer. The same state gives
 * the same bytes: that is how a base is proved before segments are deleted for it.
 */
export function* baseLines(content: BaseContent): Iterable<Buffer> {
  const states = [...content.table.overlay.values()].sort(byBirth)
  const stamp = content.table.greatest === '' ? content.fallbackStamp : content.table.greatest
  yield encodeRecord(stamp, 'gt', [{ o: 'head', format: FORMAT }])
  for (const state of states) yield encodeRecord(state.last, 'gt', [stateOp(state)])
  for (const event of content.table.events) {
    if (event.mark >= content.eventsFrom) yield eventLine(event)
  }
  yield encodeRecord(stamp, 'gt', [{ o: 'base', upto: content.upTo, n: states.length }])
}

/** Keys in one order, whatever way the state got there. */
export function stateOp(state: EntityState): LogOp {
  const { id, k, a, born, gen, last, t, reg, grd, set, say, gone, pur } = packState(state)
  return {
    o: 'st',
    id,
    ...(k === undefined ? {} : { k }),
    ...(a === undefined ? {} : { a }),
    ...(born === undefined ? {} : { born }),
    gen,
    last,
    t,
    reg,
    grd,
    set,
    say,
    ...(gone === undefined ? {} : { gone }),
    ...(pur === undefined ? {} : { pur }),
  }
}

function eventLine({ mark, by, type, data }: StoredEvent): Buffer {
  const i = Number.parseInt(mark.slice(STAMP_LENGTH + 1), 16)
  return encodeRecord(mark.slice(0, STAMP_LENGTH), by, [{ o: 'ev', type, data, i }])
}

function byBirth(x: EntityState, y: EntityState): number {
  const a = x.born?.[0] ?? '~'
  const b = y.born?.[0] ?? '~'
  return a < b ? -1 : a > b ? 1 : x.id < y.id ? -1 : 1
}

/** Cuts lines into files of about `limitBytes`; a longer line has one for itself. */
export function cutIntoParts(lines: Iterable<Buffer>, limitBytes: number): Buffer[] {
  const parts: Buffer[] = []
  let part: Buffer[] = []
  let length = 0
  for (const line of lines) {
    if (length > 0 && length + line.length > limitBytes) {
      parts.push(Buffer.concat(part, length))
      part = []
      length = 0
    }
    part.push(line)
    length += line.length
  }
  parts.push(Buffer.concat(part, length))
  return parts
}
