import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode } from './segment-bytes.js'

const POLL_MS = 25
/** Many times what a commit takes; after it we go on without the lock. */
const PATIENCE_MS = 1000
/** Its holder was killed. */
const STALE_MS = 60_000

/**
 * Keeps committers from doing the same work twice. Nothing is at risk without it: the ref moves by expected value, so
 * of two commits at once one is refused. Therefore it may be given up on, and taken from a holder that is gone.
 */
export async function withHistoryLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const isHeld = await acquire(path)
  try {
    return await work()
  } finally {
    if (isHeld) rmSync(path, { force: true })
  }
}

async function acquire(path: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs <= PATIENCE_MS; waitedMs += POLL_MS) {
    try {
      closeSync(openSync(path, 'wx', 0o600))
      return true
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (since !== undefined && Date.now() - since > STALE_MS) rmSync(path, { force: true })
    await sleep(POLL_MS)
  }
  return false
}
