import { existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkout } from './checkouts.js'
import type { GitContext } from './repository.js'
import { readText } from './worktree-place.js'

/** Git's own lock of the index, with a text that tells ours from the lock of a git that runs there. */
const LOCK_TEXT = 'gt landing\n'
/** A commit of the user holds it for a moment only. */
const TRIES = 20
const WAIT_MS = 50

const lockPath = (checkout: Checkout) => join(checkout.gitDir, 'index.lock')

/** The index as it will be after the landing, kept aside until the branch moved. */
export function nextIndexPath(checkout: Checkout): string {
  return join(checkout.gitDir, 'gt-landing-index')
}

export async function holdsIndexLock(checkout: Checkout): Promise<boolean> {
  return (await readText(lockPath(checkout))) === LOCK_TEXT
}

/** Whether a landing was here and did not end. */
export async function isMarked(checkout: Checkout): Promise<boolean> {
  return existsSync(nextIndexPath(checkout)) || (await holdsIndexLock(checkout))
}

/**
 * From here to the unlock no git can stage or commit in this checkout. Our own lock, left by a killed process, is
 * taken over: the caller holds the landing lock of the repository.
 * @returns why not, when another git keeps it
 */
export async function lockIndex(context: GitContext, checkout: Checkout): Promise<string | undefined> {
  for (let n = 0; n < TRIES; n++) {
    if (await holdsIndexLock(checkout)) return undefined
    try {
      await writeFile(lockPath(checkout), LOCK_TEXT, { flag: 'wx' })
      return undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    await context.clock.sleep(WAIT_MS)
  }
  return `another git process holds ${lockPath(checkout)}`
}

export async function unlockIndex(checkout: Checkout): Promise<void> {
  if (await holdsIndexLock(checkout)) await rm(lockPath(checkout), { force: true })
}

/** A git that outlived a killed gt may still be writing files; its lock on the next index says so. */
export async function waitForOrphan(context: GitContext, checkout: Checkout): Promise<void> {
  const lock = `${nextIndexPath(checkout)}.lock`
  for (let n = 0; n < 10 * TRIES && existsSync(lock); n++) await context.clock.sleep(WAIT_MS)
  await rm(lock, { force: true })
}

export async function settleIndex(context: GitContext, checkout: Checkout): Promise<void> {
  await rename(nextIndexPath(checkout), join(checkout.gitDir, 'index'))
  context.onStep('landing-index')
  await unlockIndex(checkout)
  context.onStep('landing-unlocked')
}
