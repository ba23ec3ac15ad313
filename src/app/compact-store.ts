import type { Compaction } from '../ports/upkeep.js'
import type { Town } from './town.js'

export interface CompactedStore {
  compaction?: Compaction
}

/**
 * Compacts the town's store.
 * @param request - onlyDue: does nothing that can still wait
 * @throws ConflictError code `compaction-runs`
 */
export async function compactStore(
  town: Town,
  request: { dryRun: boolean; onlyDue: boolean },
): Promise<CompactedStore> {
  const upkeep = await town.upkeep()
  const due = request.onlyDue ? await upkeep.due() : undefined
  if (due !== undefined && !due.includes('compact')) return {}
  return { compaction: await upkeep.compact({ dryRun: request.dryRun }) }
}
