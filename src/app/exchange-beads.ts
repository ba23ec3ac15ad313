import type { SyncReceipt } from '../ports/upkeep.js'
import { type SettledClaims, settleLostClaims } from './settle-lost-claims.js'
import { syncTown, type TownSync } from './sync-town.js'
import { tellGrownIds } from './tell-grown-ids.js'
import type { Town } from './town.js'

export interface Exchange {
  receipt: SyncReceipt
  claims: SettledClaims
  /** Shown ids of beads made here that became longer. */
  grown: string[]
}

/**
 * One exchange with the other machines, and what follows from it here: claims that they overruled are let go of, and people
 * are told what changed under them.
 * @throws as syncTown
 */
export async function exchangeBeads(town: Town, request: TownSync): Promise<Exchange> {
  const receipt = await syncTown(town, request)
  if (receipt.dryRun) return { receipt, claims: { settled: [], waiting: [] }, grown: [] }
  // Only what came in can make an id longer; a lost claim may still wait from before.
  const grown = receipt.received.length === 0 ? [] : tellGrownIds(town)
  const claims = await settleLostClaims(town)
  if (grown.length + claims.settled.length === 0) return { receipt, claims, grown }
  const again = await syncTown(town, { ...request, waitMs: request.timeoutMs })
  const sent = {
    records: receipt.sent.records + again.sent.records,
    bytes: receipt.sent.bytes + again.sent.bytes,
  }
  const received = [...receipt.received, ...again.received]
  const { withheld, missing } = again
  return { receipt: { ...receipt, sent, received, withheld, missing }, claims, grown }
}
