import type { LoggedRecord, RecordQuery } from '../ports/chronicle.js'
import { getBead } from './find-entity.js'
import type { Town } from './town.js'

export interface LogQuery extends Omit<RecordQuery, 'mentions'> {
  /** As typed. */
  bead?: string
  limit: number
}

/** The newest records of the log, newest first. Only as many files are read as that takes. */
export async function readLog(town: Town, { bead, limit, ...query }: LogQuery): Promise<LoggedRecord[]> {
  const mentions = bead === undefined ? undefined : getBead(town.ledger.read(), bead).id
  const chronicle = await town.chronicle()
  const records: LoggedRecord[] = []
  for (const record of chronicle.records({ ...query, ...(mentions === undefined ? {} : { mentions }) })) {
    records.push(record)
    if (records.length >= limit) break
  }
  return records
}
