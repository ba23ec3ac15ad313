import { rmSync, statSync } from 'node:fs'

/** Git holds them for milliseconds, for a large packed-refs perhaps a second. */
const STALE_MS = 60_000
const REFUSAL = /Unable to create '([^']+\.lock)': File exists/

/**
 * A git that was killed, or lost its power, leaves the lock of what it was about to write, and every later git refuses to
 * touch that. In the store's own repository, which is a copy, such a lock is removed once nobody can hold it any more.
 *
 * @param stderr - what git said when it failed
 * @returns whether it is worth trying again
 */
export function removeStaleLock(repository: string, stderr: string): boolean {
  const path = REFUSAL.exec(stderr)?.[1]
  // The lock of a remote on this machine is not ours.
  if (path === undefined || !path.startsWith(`${repository}/`)) return false
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) < STALE_MS) return false
  rmSync(path, { force: true })
  return true
}
