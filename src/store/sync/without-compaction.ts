import { join } from 'node:path'
import { withFileLock } from '../../system/file-lock.js'
import type { SyncRun } from './sync-context.js'

/** Longer than a compaction takes. */
const COMPACTION_MS = 60_000

/**
 * While the lines of a chain are taken over, nobody may fold that chain: a compaction that began under our former id would
 * put lines that came in meanwhile into a base, and take their files away.
 */
export async function withoutCompaction<T>({ paths }: SyncRun, work: () => Promise<T>): Promise<T> {
  const lock = join(paths.local, 'compact.lock')
  return withFileLock(lock, { timeoutMs: COMPACTION_MS, purpose: 'gt sync' }, work)
}
