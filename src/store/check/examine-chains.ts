import type { CloneIdentity } from '../clone-identity.js'
import { type ChainReference, chainReference } from './chain-reference.js'
import { committedBranches, type Repository } from './committed-files.js'
import { planRepair, type RepairPlan } from './plan-repair.js'
import { type ScannedChain, scanLog } from './scan-log.js'

/** `former`: written here under an id that this directory gave up when it was copied or moved. */
export type Ownership = 'own' | 'former' | 'foreign'

export interface ExaminedChain {
  chain: ScannedChain
  ownership: Ownership
  reference: ChainReference
  plan: RepairPlan
}

export interface ExaminedLog {
  chains: ExaminedChain[]
  /** Whether git could say what was committed. */
  isHistoryReadable: boolean
}

/** History first and the log after it: what the log holds is then never older than what it is compared with. */
export async function examineChains(
  at: Repository,
  identity: CloneIdentity | undefined,
): Promise<ExaminedLog> {
  const branches = await committedBranches(at, identity)
  const scanned = scanLog(at.paths)
  // Chains of which not one file is left.
  for (const { clone } of branches ?? []) {
    if (!scanned.has(clone)) scanned.set(clone, { clone, files: [], base: 0, baseFiles: [] })
  }
  const chains: ExaminedChain[] = []
  for (const chain of scanned.values()) {
    const ownership = ownershipOf(chain.clone, identity)
    const known = (branches ?? []).filter(({ clone }) => clone === chain.clone)
    const reference = await chainReference(at, chain, known)
    chains.push({ chain, ownership, reference, plan: planRepair(chain, reference, ownership === 'own') })
  }
  return { chains, isHistoryReadable: branches !== undefined }
}

function ownershipOf(clone: string, identity: CloneIdentity | undefined): Ownership {
  if (clone === identity?.clone) return 'own'
  return identity?.formerly.includes(clone) === true ? 'former' : 'foreign'
}
