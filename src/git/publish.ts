import { ConflictError, OperationError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import { withoutSecrets } from './git-failure.js'
import { checkBranch, checkSha, quoted } from './names.js'
import { askRemote, findRef, isAncestor, pushBranch } from './remote.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'

interface Request {
  branch: string
  head: Sha
}

export async function publishBranch(
  context: GitContext,
  rig: Rig,
  request: Request,
): Promise<{ where: string; sha: Sha }> {
  checkBranch(request.branch)
  checkSha(request.head)
  const repository = await openRepository(context, rig)
  return repository.isRemote
    ? publishToRemote(context, repository, request)
    : proveLocal(context, repository, request)
}

async function proveLocal(
  context: GitContext,
  repository: Repository,
  request: Request,
): Promise<{ where: string; sha: Sha }> {
  const sha = await findRef(context, repository, `refs/heads/${request.branch}`)
  if (sha === request.head) return { where: repository.top, sha }
  throw branchMoved(request, repository.top, sha)
}

/**
 * The remote's branch may be replaced when it is where we left it, or when nothing is lost by moving it forward.
 * `origin/<branch>` would not do as the memory of where that was: every fetch moves it.
 */
async function publishToRemote(
  context: GitContext,
  repository: Repository,
  request: Request,
): Promise<{ where: string; sha: Sha }> {
  const { branch, head } = request
  const where = withoutSecrets(
    (await context.git.run({ ...at(repository), args: ['config', 'remote.origin.url'] })).trim(),
  )
  const actual = await askRemote(context, repository, branch)
  if (actual === head) return remember(context, repository, request, where)
  const ours = [
    await findRef(context, repository, publishedRef(branch)),
    await findRef(context, repository, publishingRef(branch)),
  ]
  const mayReplace =
    actual === undefined ||
    ours.includes(actual) ||
    (await isAncestor(context, repository, { ancestor: actual, of: head }))
  if (!mayReplace) throw branchMoved(request, where, actual)
  // Said before it is done: a process killed after the push still knows its own work on the remote.
  await context.git.run({ ...at(repository), args: ['update-ref', publishingRef(branch), head] })
  context.onStep('publish-noted')
  const pushed = await pushBranch(context, repository, {
    branch,
    sha: head,
    ...(actual === undefined ? {} : { expected: actual }),
  })
  context.onStep('publish-pushed')
  if (pushed.kind === 'refused') {
    throw new OperationError(`${where} refused ${branch}: ${pushed.why}`, {
      code: 'publish-refused',
      details: { branch, where, why: pushed.why },
    })
  }
  const proof = await askRemote(context, repository, branch)
  if (proof !== head) throw branchMoved(request, where, proof)
  return remember(context, repository, request, where)
}

async function remember(
  context: GitContext,
  repository: Repository,
  request: Request,
  where: string,
): Promise<{ where: string; sha: Sha }> {
  const input = `update ${publishedRef(request.branch)} ${request.head}\ndelete ${publishingRef(request.branch)}\n`
  await context.git.run({ ...at(repository), args: ['update-ref', '--stdin'], input })
  return { where, sha: request.head }
}

/** What the remote had from us last. */
const publishedRef = (branch: string) => `refs/gt/published/${branch}`
/** What we were about to push. */
const publishingRef = (branch: string) => `refs/gt/publishing/${branch}`

function branchMoved(request: Request, where: string, actual: Sha | undefined): ConflictError {
  const found = actual === undefined ? 'is gone' : `is at ${actual.slice(0, 12)}`
  return new ConflictError(`${request.branch} ${found} in ${where}, not at ${request.head.slice(0, 12)}`, {
    code: 'branch-moved',
    hint: 'somebody else moved it: look at their commits first',
    details: { branch: request.branch, where, expected: request.head, actual },
  })
}

/**
 * The remote goes first: while the local branch stands, a failed try can be seen and repeated.
 * Without `expected`, the branch goes when its commits are part of the target or of a salvage, wherever it points.
 */
export async function deleteBranch(
  context: GitContext,
  rig: Rig,
  request: { branch: string; expected?: Sha | undefined },
): Promise<void> {
  const { branch } = request
  checkBranch(branch)
  const repository = await openRepository(context, rig)
  const local = await findRef(context, repository, `refs/heads/${branch}`)
  if (local === undefined && request.expected === undefined) return
  const expected =
    request.expected === undefined
      ? await checkSafe(context, repository, { branch, tip: local ?? '' })
      : checkSha(request.expected)
  const moved = { branch, head: expected }
  if (local !== undefined && local !== expected) throw branchMoved(moved, repository.top, local)
  await checkNotInUse(context, repository, branch)
  if (repository.isRemote)
    await deleteOnRemote(context, repository, {
      branch,
      expected,
      mayBeOlder: request.expected === undefined,
    })
  if (local === undefined) return
  const input = [`refs/heads/${branch} ${expected}`, publishedRef(branch), publishingRef(branch)]
  const call = {
    ...at(repository),
    args: ['update-ref', '--stdin'],
    input: input.map((line) => `delete ${line}\n`).join(''),
  }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return
  const actual = await findRef(context, repository, `refs/heads/${branch}`)
  if (actual !== undefined) throw branchMoved(moved, repository.top, actual)
}

/** @throws ConflictError code `branch-not-safe` when `tip` would be lost with its branch */
async function checkSafe(
  context: GitContext,
  repository: Repository,
  job: { branch: string; tip: Sha },
): Promise<Sha> {
  const args = ['for-each-ref', '--count=1', '--contains', job.tip, 'refs/gt/salvage/', repository.targetRef]
  // Fails for a commit of the remote that is not known here.
  const holders = await context.git.attempt({ ...at(repository), args })
  if (holders.exitCode === 0 && holders.stdout !== '') return job.tip
  throw new ConflictError(
    `${job.branch} at ${job.tip.slice(0, 12)} holds commits that are saved nowhere else`,
    {
      code: 'branch-not-safe',
      hint: `git -C ${quoted(repository.top)} log ${job.branch}`,
      details: { ...job },
    },
  )
}

async function deleteOnRemote(
  context: GitContext,
  repository: Repository,
  request: { branch: string; expected: Sha; mayBeOlder: boolean },
): Promise<void> {
  const { branch, expected } = request
  const actual = await askRemote(context, repository, branch)
  if (actual === undefined) return
  if (request.mayBeOlder && actual !== expected) await checkSafe(context, repository, { branch, tip: actual })
  const pushed =
    actual === expected || request.mayBeOlder
      ? await pushBranch(context, repository, { branch, expected: actual })
      : { kind: 'stale' as const }
  if (pushed.kind === 'pushed') return
  if (pushed.kind === 'stale') throw branchMoved({ branch, head: expected }, 'the remote', actual)
  throw new OperationError(`the remote refused to delete ${branch}: ${pushed.why}`, {
    code: 'publish-refused',
    details: { branch },
  })
}

async function checkNotInUse(context: GitContext, repository: Repository, branch: string): Promise<void> {
  const out = await context.git.run({ ...at(repository), args: ['worktree', 'list', '--porcelain', '-z'] })
  const holder = out.split('\0\0').find((entry) => entry.split('\0').includes(`branch refs/heads/${branch}`))
  if (holder === undefined) return
  const path = /worktree ([^\0]*)/.exec(holder)?.[1]
  throw new ConflictError(`branch ${branch} is checked out at ${path}`, {
    code: 'branch-in-use',
    hint: `git worktree remove ${quoted(path ?? '')}`,
    details: { branch, path },
  })
}
