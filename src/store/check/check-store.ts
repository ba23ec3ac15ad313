import { GtError } from '../../domain/errors.js'
import type { Finding, Fix } from '../../domain/finding.js'
import { type CloneIdentity, ownIdentity } from '../clone-identity.js'
import { readError } from '../store-errors.js'
import { checkAppends } from './append-trial.js'
import { checkBlobs } from './check-blobs.js'
import { checkGit } from './check-git.js'
import { checkIdentity } from './check-identity.js'
import { checkLog } from './check-log.js'
import { checkPlaces } from './check-places.js'
import { checkState } from './check-state.js'
import type { Repository } from './committed-files.js'
import { examineChains } from './examine-chains.js'
import { repairLog } from './repair-log.js'

export interface CheckOptions {
  /** Also what takes seconds: real writers at once, every text and every object of the history read. */
  deep?: boolean
}

/**
 * Looks at everything in the directory and changes nothing. A part that cannot be looked at is a finding, and the others
 * are looked at all the same.
 */
export async function checkStore(at: Repository, { deep = false }: CheckOptions): Promise<Finding[]> {
  const { identity, findings } = checkIdentity(at)
  const fix = logFix(at, identity)
  const parts: [string, () => Promise<Finding[]> | Finding[]][] = [
    ['store', () => withFix(checkPlaces(at), 'repair-interrupted', fix)],
    ['log', () => checkChains(at, identity, fix)],
    ['state', () => stateAndBlobs(at, deep)],
    ['history', () => checkGit(at, identity, deep)],
    ...(deep ? [['appends', () => checkAppends(at)] as [string, () => Promise<Finding[]>]] : []),
  ]
  for (const [name, check] of parts) findings.push(...(await guarded(at, name, check)))
  return findings
}

async function guarded(
  at: Repository,
  name: string,
  check: () => Promise<Finding[]> | Finding[],
): Promise<Finding[]> {
  try {
    return await check()
  } catch (error) {
    const known = readError(at.paths.root, error)
    if (!(known instanceof GtError)) throw error
    const hint = known.hint === undefined ? {} : { hint: known.hint }
    return [
      { id: `${name}-unknown`, severity: 'error', what: `could not be looked at: ${known.message}`, ...hint },
    ]
  }
}

/** Absent when nobody knows which chain is ours; the identity is mended first then. */
function logFix(at: Repository, identity: CloneIdentity | undefined): Fix | undefined {
  if (identity === undefined) return undefined
  return {
    what: 'put back from history what is missing; originals go to local/aside',
    // A directory that was copied takes its own id before anything is written in it.
    apply: async () => repairLog({ ...at, identity: ownIdentity(at.paths, at.settings) }),
  }
}

function withFix(findings: Finding[], id: string, fix: Fix | undefined): Finding[] {
  return findings.map((finding) => (finding.id === id && fix !== undefined ? { ...finding, fix } : finding))
}

async function checkChains(
  at: Repository,
  identity: CloneIdentity | undefined,
  fix: Fix | undefined,
): Promise<Finding[]> {
  const examined = await examineChains(at, identity)
  const ownClones = identity === undefined ? [] : [identity.clone, ...identity.formerly]
  const findings = checkLog({
    examined,
    nowMs: at.settings.now(),
    fix: fix ?? { what: '', apply: () => Promise.resolve({ did: 'nothing' }) },
    ownClones,
  })
  const usable = fix === undefined ? findings.map(({ fix: _, ...finding }) => finding) : findings
  if (examined.isHistoryReadable) return usable
  return [
    ...usable,
    { id: 'log-not-compared', severity: 'note', what: 'the log was not compared with its history' },
  ]
}

async function stateAndBlobs(at: Repository, deep: boolean): Promise<Finding[]> {
  const { findings, table } = checkState(at)
  const ok = {
    id: 'state',
    severity: 'ok' as const,
    what: `state: ${table.overlay.size} ${table.overlay.size === 1 ? 'entity' : 'entities'}, as a full fold says`,
  }
  const isWell = findings.every(({ severity }) => severity === 'note')
  return [...findings, ...(isWell ? [ok] : []), ...(await checkBlobs(at, table, deep))]
}
