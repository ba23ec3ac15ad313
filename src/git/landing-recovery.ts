import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import {
  holdsIndexLock,
  isMarked,
  lockIndex,
  nextIndexPath,
  settleIndex,
  unlockIndex,
  waitForOrphan,
} from './checkout-lock.js'
import { type Checkout, insideCheckout, listCheckouts } from './checkouts.js'
import { clearStaleLocks, dropIntent, findIntent, type LandingIntent } from './landing-intent.js'
import { takeBack } from './landing-undo.js'
import { findRef, isAncestor } from './remote.js'
import type { GitContext, Repository } from './repository.js'

/**
 * Ends what a killed landing began: the branch decides. It has the candidate: the checkouts get their new index.
 * It has not: the files that the landing changed, and nothing else, go back to what they were.
 *
 * @returns why it cannot be ended now; undefined when all is well
 */
export async function finishInterrupted(
  context: GitContext,
  repository: Repository,
  branch: string,
): Promise<string | undefined> {
  await clearStaleLocks(context, repository, branch)
  const found = await findIntent(context, repository, branch)
  if (found === undefined) return undefined
  if (found.from === undefined || found.to === undefined) {
    await dropIntent(context, repository, branch)
    return undefined
  }
  const intent: LandingIntent = { from: found.from, to: found.to }
  const actual = await findRef(context, repository, `refs/heads/${branch}`)
  const isMoved =
    actual !== undefined && (await isAncestor(context, repository, { ancestor: intent.to, of: actual }))
  for (const checkout of await listCheckouts(context, repository)) {
    if (!(await isMarked(checkout))) continue
    const wasLocked = await holdsIndexLock(checkout)
    const why = await lockIndex(context, checkout)
    if (why !== undefined) return `an interrupted landing cannot be ended at ${checkout.path}: ${why}`
    await waitForOrphan(context, checkout)
    if (isMoved) await finish(context, checkout, { intent, wasLocked })
    else await takeBack(context, checkout, intent)
    await rm(nextIndexPath(checkout), { force: true })
    await unlockIndex(checkout)
  }
  await dropIntent(context, repository, branch)
  return undefined
}

async function finish(
  context: GitContext,
  checkout: Checkout,
  state: { intent: LandingIntent; wasLocked: boolean },
): Promise<void> {
  if (!existsSync(nextIndexPath(checkout))) return
  // With the lock removed by hand the user may have staged things since; their index is theirs then.
  const untouched = state.wasLocked || (await indexIs(context, checkout, state.intent.from))
  if (untouched) await settleIndex(context, checkout)
}

async function indexIs(context: GitContext, checkout: Checkout, tree: string): Promise<boolean> {
  const args = ['diff-index', '--cached', '--quiet', '--ignore-submodules=none', tree, '--']
  return (await context.git.attempt({ ...insideCheckout(checkout), args })).exitCode === 0
}
