import { OperationError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import { Appender } from '../appender.js'
import { stateOp } from '../compact/base-lines.js'
import { applyPurge } from '../compact/fold-chain.js'
import { isAbout } from '../compact/holds-purged.js'
import { knownPurges } from '../compact/known-purges.js'
import { EntityTable } from '../entity-table.js'
import { applyRecord } from '../fold.js'
import { LogState } from '../log-state.js'
import { readOp } from '../read-op.js'
import type { LogOp, LogRecord } from '../record-line.js'
import { nextStamp } from '../stamp.js'
import type { Place } from './apply-chain.js'

/** Entities in one line; a line is read as a whole. */
const STATES_PER_RECORD = 50
const MAX_TRIES = 1000

/**
 * Takes records of another chain over into our own. Not line by line: a `new` or `move` that counts in its chain could be
 * void in ours. So they are folded into `st` lines, which keep every stamp; events keep theirs by standing in records with
 * their first stamp. Taking over the same twice changes nothing. What was purged, here or elsewhere, is not written again.
 *
 * @param records - of one chain, in its order, void ones left out
 */
export function adoptRecords(place: Place, clone: string, from: string, records: readonly LogRecord[]): void {
  if (records.length === 0) return
  const table = new EntityTable(undefined, place.settings.now)
  for (const record of records) applyRecord(table, from, record)
  const purges = knownPurges(place)
  for (const purge of purges) applyPurge(table, purge)
  const append = appendTo(place, clone)
  const states: LogOp[] = []
  for (const state of table.overlay.values()) if (state.last !== '') states.push(stateOp(state))
  for (let i = 0; i < states.length; i += STATES_PER_RECORD) {
    append('gt', states.slice(i, i + STATES_PER_RECORD))
    place.settings.onStep('sync:adopted')
  }
  for (const event of table.events) {
    const index = Number.parseInt(event.mark.slice(MARK_INDEX), 16)
    const op: LogOp = { o: 'ev', type: event.type, data: event.data, i: index }
    append(event.by, [op], event.mark.slice(0, MARK_INDEX - 1))
  }
  for (const { t, by, ops } of records) {
    // What only a newer gt understands is handed on as it stands.
    const unknown = ops
      .filter((op) => readOp(op) === undefined)
      .filter((op) => !purges.some((purge) => isAbout(op, { t }, purge)))
    if (unknown.length > 0) append(by, unknown as LogOp[], t)
  }
}

/** A mark is a stamp, a dot and the index of the op. */
const MARK_INDEX = 43

function appendTo({ paths, settings }: Place, clone: string) {
  const log = new LogState(paths, settings.now)
  const appender = new Appender(paths, log, settings)
  const next = () =>
    nextStamp({
      nowMs: settings.now(),
      greatest: log.table.greatest,
      floor: '',
      clone,
      random: randomId(settings.random.bytes(6), 6),
    })
  return (by: string, ops: readonly LogOp[], stamp?: string) => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      log.refresh()
      const outcome = appender.append({ clone, stamp: stamp ?? next(), nextStamp: next, by, ops })
      if (outcome !== 'lost') return
    }
    throw new OperationError(`nothing can be appended to the chain of ${clone}`, { code: 'log-unstable' })
  }
}
