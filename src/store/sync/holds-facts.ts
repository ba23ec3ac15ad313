import { stateOp } from '../compact/base-lines.js'
import { EntityTable } from '../entity-table.js'
import { eventsKeptFrom } from '../event-age.js'
import { applyRecord } from '../fold.js'
import { readOp } from '../read-op.js'
import type { LogRecord } from '../record-line.js'
import { type ChainContent, chainRecords } from './chain-records.js'

/**
 * Whether `ours` of a chain says all that `theirs` says. A base tells by numbers which segments it stands for; of two machines
 * that write under one id each may have segments of those numbers, with other records in them. So what is said is compared:
 * what joins into our state without changing it is there already.
 */
export function holdsFacts(
  clone: string,
  ours: ChainContent,
  theirs: ChainContent,
  now: () => number,
): boolean {
  const table = new EntityTable(undefined, now)
  const known = new Set<string>()
  chainRecords(clone, ours, (record, line) => {
    applyRecord(table, clone, record)
    known.add(line)
  })
  const before = factsOf(table)
  let hasUnknown = false
  chainRecords(clone, theirs, (record, line) => {
    applyRecord(table, THEIR_CHAIN, record)
    if (isUnknown(record) && !known.has(line)) hasUnknown = true
  })
  return !hasUnknown && factsOf(table) === before
}

/** Generations are counted for each chain, and theirs is not ours yet. */
const THEIR_CHAIN = 'theirs'

/** What only a newer gt understands cannot be compared, only found word by word. */
function isUnknown({ ops }: LogRecord): boolean {
  return ops.some((op) => readOp(op) === undefined)
}

function factsOf(table: EntityTable): string {
  const ids = [...table.overlay.keys()].sort()
  const states = ids.map((id) => {
    const state = table.overlay.get(id)
    return state === undefined ? id : stateOp(state)
  })
  const from = eventsKeptFrom(table.nowMs, table.greatest)
  const events = table.events.map(({ mark }) => mark).filter((mark) => mark >= from)
  return JSON.stringify([states, events])
}
