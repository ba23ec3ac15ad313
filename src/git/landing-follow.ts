import { join } from 'node:path'
import type { Landing, Sha } from '../ports/repositories.js'
import { lockIndex, nextIndexPath, settleIndex } from './checkout-lock.js'
import { type Checkout, checkoutsOf, insideCheckout, whyNotClean } from './checkouts.js'
import type { LandingJob } from './landing.js'
import { dropIntent, recordIntent } from './landing-intent.js'
import { finishInterrupted } from './landing-recovery.js'
import type { GitContext, Repository } from './repository.js'
import { copyIndex } from './snapshot.js'

/**
 * Moves the branch together with every checkout of it: index and files follow, as after `git merge --ff-only`.
 *
 * Order: intent recorded → index locked → looked at → files changed, their index kept aside → branch moved → index
 * put in place → unlocked → intent removed. Git's own index.lock keeps the user from staging or committing meanwhile.
 * Killed before the branch moved, everything is taken back; killed after, it is finished (landing-recovery.ts).
 *
 * @param moveRef - compare-and-swap of the branch; gives its position when somebody was faster
 */
export async function landInCheckouts(
  context: GitContext,
  repository: Repository,
  job: LandingJob,
  moveRef: () => Promise<Sha | undefined>,
): Promise<Landing> {
  const checkouts = await checkoutsOf(context, repository, job.branch)
  if (checkouts.length === 0) {
    const actual = await moveRef()
    if (actual !== undefined) return { kind: 'moved', actual }
    return { kind: 'landed', sha: job.candidate, how: `moved ${job.branch} of ${repository.top}` }
  }
  const move = { from: job.expected, to: job.candidate }
  await recordIntent(context, repository, { branch: job.branch, ...move })
  context.onStep('landing-intent')
  try {
    const why = await followAll(context, checkouts, move)
    const actual = why === undefined ? await moveRef() : undefined
    if (why !== undefined || actual !== undefined) {
      await finishInterrupted(context, repository, job.branch)
      return why === undefined
        ? { kind: 'moved', actual: actual ?? job.expected }
        : { kind: 'blocked', why: `${job.branch} is checked out at ${why}` }
    }
  } catch (error) {
    // The next landing tries again when even this fails.
    await finishInterrupted(context, repository, job.branch).catch(() => undefined)
    throw error
  }
  context.onStep('landing-ref')
  for (const checkout of checkouts) await settleIndex(context, checkout)
  await dropIntent(context, repository, job.branch)
  context.onStep('landing-done')
  const followed = checkouts.map((checkout) => checkout.path).join(', ')
  return {
    kind: 'landed',
    sha: job.candidate,
    how: `moved ${job.branch}, and the checkout at ${followed} with it`,
  }
}

async function followAll(
  context: GitContext,
  checkouts: readonly Checkout[],
  move: { from: Sha; to: Sha },
): Promise<string | undefined> {
  for (const checkout of checkouts) {
    const why = await follow(context, checkout, move)
    if (why !== undefined) return `${checkout.path}: ${why}`
  }
  return undefined
}

async function follow(
  context: GitContext,
  checkout: Checkout,
  move: { from: Sha; to: Sha },
): Promise<string | undefined> {
  const why = (await lockIndex(context, checkout)) ?? (await whyNotClean(context, checkout, move))
  if (why !== undefined) return why
  context.onStep('landing-index-locked')
  const place = insideCheckout(checkout)
  const staging = { cwd: place.cwd, env: { ...place.env, GIT_INDEX_FILE: nextIndexPath(checkout) } }
  await copyIndex(join(checkout.gitDir, 'index'), nextIndexPath(checkout))
  context.onStep('landing-index-copied')
  // Files that were only touched would count as changed; exit code 1 tells of ones that did change.
  await context.git.attempt({ ...staging, args: ['update-index', '-q', '--refresh', '--ignore-submodules'] })
  const args = ['read-tree', '-m', '-u', '--no-recurse-submodules', move.from, move.to]
  const result = await context.git.attempt({ ...staging, args })
  context.onStep('landing-files')
  return result.exitCode === 0 ? undefined : result.stderr.trim().slice(0, 500)
}
