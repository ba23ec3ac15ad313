import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EntityTable } from '../entity-table.js'
import { applyRecord } from '../fold.js'
import { readOp } from '../read-op.js'
import type { LogRecord } from '../record-line.js'
import type { Purge } from '../snapshot-format.js'
import { scanLog } from '../sync/scan-log.js'
import { chainFiles } from '../uncommitted.js'
import type { UpkeepContext } from './compact-store.js'
import { applyPurge } from './fold-chain.js'
import { knownPurges } from './known-purges.js'

/** Whether any line of our copy of a chain still says what was purged, overwritten and void ones included. */
export function holdsPurged(place: Pick<UpkeepContext, 'paths' | 'settings'>, clone: string): boolean {
  const purges = knownPurges(place)
  if (purges.length === 0) return false
  const { paths, settings } = place
  return chainFiles(paths, clone).some((name) => {
    let isFound = false
    scanLog(readFileSync(join(paths.log, name)), (record) => {
      isFound ||= saysPurged(record, purges, settings.now)
    })
    return isFound
  })
}

/** By carrying the purges out on the record alone: what changes then was there. */
function saysPurged(record: LogRecord, purges: readonly Purge[], now: () => number): boolean {
  const about = purges.filter((purge) => record.ops.some((op) => isAbout(op, record, purge)))
  if (about.length === 0) return false
  if (record.ops.some((op) => readOp(op) === undefined)) return true
  const table = new EntityTable(undefined, now)
  applyRecord(table, '', record)
  const before = printed(table)
  for (const purge of about) applyPurge(table, purge)
  return printed(table) !== before
}

/** Whether an op, known or not, names what was purged and was written before that. */
export function isAbout(op: unknown, { t }: Pick<LogRecord, 't'>, { id, what, stamp }: Purge): boolean {
  return (what === '*' || t <= stamp) && (JSON.stringify(op) ?? '').includes(JSON.stringify(id))
}

/** The marks of the purges themselves are no secret. */
function printed({ overlay, events }: EntityTable): string {
  return JSON.stringify([[...overlay.values()].map((state) => ({ ...state, pur: undefined })), events])
}
