import type { Compaction, HistoryCare } from '../ports/upkeep.js'
import type { Town } from './town.js'

export interface CompactedStore {
  compaction?: Compaction
  history?: HistoryCare
  /** Purges, of this machine or another, that were carried out here now. */
  purges?: number
}

export interface CompactRequest {
  dryRun: boolean
  /** Does nothing that can still wait. */
  onlyDue: boolean
  /** Also makes one commit of the store's own git history. */
  history: boolean
}

/**
 * Compacts the town's store, and packs its history.
 * @throws ConflictError code `compaction-runs`; ExternalError `git-failed`
 */
export async function compactStore(town: Town, request: CompactRequest): Promise<CompactedStore> {
  const upkeep = await town.upkeep()
  const due = request.onlyDue ? await upkeep.due() : undefined
  const done: CompactedStore = {}
  if (due === undefined || due.includes('compact')) {
    done.compaction = await upkeep.compact({ dryRun: request.dryRun })
  }
  if (request.dryRun) return done
  if (due === undefined || due.includes('purge')) done.purges = await upkeep.finishPurges()
  const isHistoryDue = due?.includes('gc') === true || due?.includes('squash') === true
  if (!request.history && !isHistoryDue) return done
  // What was compacted belongs into the one commit that is left.
  if (request.history) await town.ledger.commitHistory()
  return { ...done, history: await upkeep.packHistory({ squash: request.history }) }
}
