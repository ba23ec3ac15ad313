import { ConflictError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Landing, Sha } from '../ports/repositories.js'
import { DURABLE } from './git-environment.js'
import { gitFailure, withoutSecrets } from './git-failure.js'
import { landInCheckouts } from './landing-follow.js'
import { finishInterrupted } from './landing-recovery.js'
import { checkBranch, checkSha } from './names.js'
import { askRemote, fetchBranch, findRef, isAncestor, noSuchBranch, pushBranch, readRef } from './remote.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'

export interface LandingJob {
  branch: string
  candidate: Sha
  expected: Sha
}

/** Moves the target branch; the only code that does. */
export async function landCandidate(
  context: GitContext,
  request: { rig: Rig; candidate: Sha; expected: Sha },
): Promise<Landing> {
  const job: LandingJob = {
    branch: checkBranch(request.rig.branch),
    candidate: checkSha(request.candidate),
    expected: checkSha(request.expected),
  }
  const repository = await openRepository(context, request.rig)
  return repository.isRemote ? landOnRemote(context, repository, job) : landInClone(context, repository, job)
}

async function landInClone(context: GitContext, repository: Repository, job: LandingJob): Promise<Landing> {
  // In the repository and not in lockDir: two towns may share one clone.
  return context.lock(`${repository.gitDir}/gt-landing`, async () => {
    context.onStep('landing-locked')
    const stuck = await finishInterrupted(context, repository, job.branch)
    if (stuck !== undefined) return { kind: 'blocked', why: stuck }
    const actual = await readRef(context, repository, `refs/heads/${job.branch}`)
    const settled = await alreadyDecided(context, repository, { job, actual })
    if (settled !== undefined) return settled
    await checkForward(context, repository, job)
    return landInCheckouts(context, repository, job, () => moveRef(context, repository, job))
  })
}

/** @returns undefined when the branch is where it is expected, so that it can be moved */
async function alreadyDecided(
  context: GitContext,
  repository: Repository,
  ask: { job: LandingJob; actual: Sha },
): Promise<Landing | undefined> {
  const { job, actual } = ask
  const isIn = await isAncestor(context, repository, { ancestor: job.candidate, of: actual })
  if (isIn) return { kind: 'landed', sha: job.candidate, how: `${job.branch} had it already` }
  return actual === job.expected ? undefined : { kind: 'moved', actual }
}

/** A push under lease is a forced push: that it only adds commits is for us to see to. */
async function checkForward(context: GitContext, repository: Repository, job: LandingJob): Promise<void> {
  if (await isAncestor(context, repository, { ancestor: job.expected, of: job.candidate })) return
  throw new ConflictError(
    `${job.candidate.slice(0, 12)} is not on top of ${job.branch} at ${job.expected.slice(0, 12)}`,
    {
      code: 'not-fast-forward',
      hint: 'prepare the candidate again on the present target',
      details: { ...job },
    },
  )
}

/** @returns undefined when moved; the branch's position when somebody was faster */
async function moveRef(
  context: GitContext,
  repository: Repository,
  job: LandingJob,
): Promise<Sha | undefined> {
  const ref = `refs/heads/${job.branch}`
  const call = {
    ...at(repository),
    args: ['update-ref', '-m', 'gt: land', ref, job.candidate, job.expected],
    config: DURABLE,
  }
  const result = await context.git.attempt(call)
  const actual = await readRef(context, repository, ref)
  if (actual === job.candidate) return undefined
  if (result.exitCode !== 0 && actual === job.expected) throw gitFailure(call, result)
  return actual
}

async function landOnRemote(context: GitContext, repository: Repository, job: LandingJob): Promise<Landing> {
  const url = withoutSecrets(
    (await context.git.run({ ...at(repository), args: ['config', 'remote.origin.url'] })).trim(),
  )
  const settled = await askDecided(context, repository, job)
  if (settled !== undefined) return settled
  await checkForward(context, repository, job)
  context.onStep('landing-checked')
  const pushed = await pushBranch(context, repository, {
    branch: job.branch,
    sha: job.candidate,
    expected: job.expected,
  })
  context.onStep('landing-pushed')
  // The remote's answer is only believed when its branch says the same.
  const after = await askDecided(context, repository, job)
  if (after?.kind === 'moved') return after
  if (after !== undefined)
    return { kind: 'landed', sha: job.candidate, how: `pushed to ${job.branch} of ${url}` }
  const why = pushed.kind === 'refused' ? pushed.why : 'it accepted the push, but its branch did not move'
  return { kind: 'blocked', why: `${url} refuses ${job.branch}: ${why}` }
}

/** Asks where the remote's branch is now, and keeps origin/<branch> in step. */
async function askDecided(
  context: GitContext,
  repository: Repository,
  job: LandingJob,
): Promise<Landing | undefined> {
  const told = await askRemote(context, repository, job.branch)
  if (told === undefined) throw noSuchBranch(job.branch, 'the remote')
  const known = await findRef(context, repository, repository.targetRef)
  const actual = known === told ? told : await fetchBranch(context, repository, job.branch)
  return alreadyDecided(context, repository, { job, actual })
}

/** @throws NotFoundError code `branch-not-found` */
export async function targetHead(
  context: GitContext,
  rig: Rig,
  options: { offline?: boolean } = {},
): Promise<Sha> {
  const repository = await openRepository(context, rig)
  const branch = checkBranch(rig.branch)
  if (!repository.isRemote || options.offline) return readRef(context, repository, repository.targetRef)
  return fetchBranch(context, repository, branch)
}

export async function isLanded(context: GitContext, rig: Rig, sha: Sha): Promise<boolean> {
  const head = await targetHead(context, rig)
  return isAncestor(context, await openRepository(context, rig), { ancestor: checkSha(sha), of: head })
}
