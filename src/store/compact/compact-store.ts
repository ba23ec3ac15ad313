import { join } from 'node:path'
import { ExternalError, TimeoutError } from '../../domain/errors.js'
import type { Compaction } from '../../ports/upkeep.js'
import { withFileLock } from '../../system/file-lock.js'
import { ownIdentity } from '../clone-identity.js'
import { FORMAT, type StorePaths } from '../layout.js'
import { openLedger } from '../open-ledger.js'
import { newerFormat, writeError } from '../store-errors.js'
import type { StoreOptions, StoreSettings } from '../store-options.js'
import { collectBlobs } from './collect-blobs.js'
import { type CompactContext, compactChain, compactionRuns } from './compact-chain.js'
import { knownPurges } from './known-purges.js'

export interface UpkeepContext {
  paths: StorePaths
  settings: StoreSettings
  options: StoreOptions
}

/**
 * Compacts the own chain. The lock only saves double work: two at once would each leave a whole base.
 */
export async function compactStore(context: UpkeepContext, dryRun: boolean): Promise<Compaction> {
  return withCompactionLock(context, async () => {
    // New processes then start behind what is about to be deleted, and need not fold the base.
    if (!dryRun) refreshSnapshot(context)
    const done = compactOwn(context, dryRun)
    return { ...done, blobs: collectBlobs(context.paths, { nowMs: Date.now(), dryRun }) }
  })
}

export function compactOwn(context: UpkeepContext, dryRun: boolean): Compaction {
  try {
    return compactChain(compactContext(context), dryRun)
  } catch (error) {
    throw writeError(context.paths.root, error)
  }
}

export function compactContext(context: UpkeepContext): CompactContext {
  const { paths, settings } = context
  // One moment for all of it: what is too far ahead of the clock must not change between writing and proving.
  const nowMs = settings.now()
  const frozen = { ...settings, now: () => nowMs }
  return { paths, settings: frozen, clone: ownClone(context), purges: knownPurges(context) }
}

/** @throws ConfigError code `store-format` */
export function ownClone({ paths, settings }: UpkeepContext): string {
  const identity = ownIdentity(paths, settings)
  if (identity.format > FORMAT) throw newerFormat(paths.root, identity.format)
  return identity.clone
}

export function refreshSnapshot({ paths, options }: UpkeepContext): void {
  const ledger = openLedger(paths.root, options)
  try {
    ledger.compactCache(true)
  } finally {
    ledger.close()
  }
}

/** @throws ConflictError code `compaction-runs` */
export async function withCompactionLock<T>({ paths }: UpkeepContext, work: () => Promise<T>): Promise<T> {
  let hasEntered = false
  try {
    return await withFileLock(join(paths.local, 'compact.lock'), { timeoutMs: 0 }, () => {
      hasEntered = true
      return work()
    })
  } catch (error) {
    // A full disk has no place for a lock either.
    if (!hasEntered && error instanceof ExternalError) throw writeError(paths.root, error.cause)
    if (hasEntered || !(error instanceof TimeoutError)) throw error
    const { holder } = error.details as { holder?: { pid: number } }
    throw compactionRuns(`process ${holder?.pid ?? 'unknown'}`)
  }
}
