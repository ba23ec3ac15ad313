import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConflictError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Candidate, Sha } from '../ports/repositories.js'
import { fillWorktree } from './add-worktree.js'
import { commitIdentity } from './commit-identity.js'
import { describeConflict } from './conflict.js'
import { gitFailure } from './git-failure.js'
import { checkSha, shortHash } from './names.js'
import { isAncestor } from './remote.js'
import { discardWorktree } from './remove-worktree.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'
import { findWorktree, getWorktree, inWorktree, settledPath, type WorktreePlace } from './worktree-place.js'

/** In the administrative folder: this worktree is ours to throw away without a salvage. */
const MARK = 'gt-candidate'

interface Request {
  head: Sha
  target: Sha
  path: string
}

/**
 * How the branch comes on top of the target:
 * - it already is: taken as it stands, nothing is made anew;
 * - no merges in it: rebased;
 * - merges in it: one merge commit of target and branch. A rebase would throw away how the agent resolved the
 *   conflicts in its merges (plain: the merges vanish; --rebase-merges: they are made again without the resolution).
 */
export async function prepareCandidate(
  context: GitContext,
  request: Request & { rig: Rig },
): Promise<Candidate> {
  const head = checkSha(request.head)
  const target = checkSha(request.target)
  const repository = await openRepository(context, request.rig)
  const path = await settledPath(request.path)
  return context.lock(`worktree-${shortHash(path)}`, async () => {
    await clearPlace(context, repository, path)
    if (await isAncestor(context, repository, { ancestor: head, of: target })) return { kind: 'empty' }
    const isOnTop = await isAncestor(context, repository, { ancestor: target, of: head })
    const hasMerges =
      !isOnTop &&
      (await countRange(context, repository, [`${target}..${head}`, '--merges', '--max-count=1'])) > 0
    try {
      const place = await addDetached(context, repository, { path, commit: hasMerges ? target : head })
      context.onStep('candidate-ready-to-replay')
      const conflict = isOnTop
        ? undefined
        : await replay(context, place, { head, target, hasMerges, branch: request.rig.branch })
      if (conflict !== undefined) {
        await discardWorktree(context, repository, path)
        return conflict
      }
      const candidate = await finish(context, repository, { place, target, hasMerges })
      if (candidate.kind === 'empty') await discardWorktree(context, repository, path)
      return candidate
    } catch (error) {
      await discardWorktree(context, repository, path).catch(() => undefined)
      throw error
    }
  })
}

export async function dropCandidate(context: GitContext, rig: Rig, path: string): Promise<void> {
  const repository = await openRepository(context, rig)
  const settled = await settledPath(path)
  await context.lock(`worktree-${shortHash(settled)}`, () => clearPlace(context, repository, settled))
}

async function clearPlace(context: GitContext, repository: Repository, path: string): Promise<void> {
  const found = await findWorktree(repository, path)
  if (found !== undefined) {
    const isOurs = existsSync(join(found.adminDir, MARK)) || !existsSync(join(found.adminDir, 'index'))
    if (!isOurs) throw inTheWay(path, 'it is a worktree that somebody works in')
    return discardWorktree(context, repository, path)
  }
  const entries = await readdir(path).catch(() => [])
  // Only a killed removal or `worktree add` of ours leaves nothing but this file.
  if (entries.every((name) => name === '.git')) return discardWorktree(context, repository, path)
  throw inTheWay(path, 'it holds other files')
}

function inTheWay(path: string, why: string): ConflictError {
  return new ConflictError(`${path} cannot be used for a candidate: ${why}`, {
    code: 'path-exists',
    hint: 'choose another path',
    details: { path },
  })
}

async function addDetached(
  context: GitContext,
  repository: Repository,
  job: { path: string; commit: Sha },
): Promise<WorktreePlace> {
  await mkdir(dirname(job.path), { recursive: true })
  await context.lock(`repository-${shortHash(repository.gitDir)}`, () =>
    context.git.run({
      ...at(repository),
      args: ['worktree', 'add', '--no-checkout', '--detach', job.path, job.commit],
    }),
  )
  const place = await getWorktree(repository, job.path)
  await writeFile(join(place.adminDir, MARK), '')
  await fillWorktree(context, place)
  return place
}

interface Replay {
  head: Sha
  target: Sha
  hasMerges: boolean
  branch: string
}

async function replay(
  context: GitContext,
  place: WorktreePlace,
  job: Replay,
): Promise<Candidate | undefined> {
  const inside = inWorktree(place)
  const identity = await commitIdentity(context, inside, job.head)
  const call = {
    cwd: inside.cwd,
    env: { ...inside.env, ...identity.env },
    args: job.hasMerges
      ? [...MERGE, '-m', `Merge ${job.head.slice(0, 12)} into ${job.branch}`, job.head]
      : ['rebase', '--merge', '--empty=drop', '--no-verify', job.target],
    config: [...QUIET_REPLAY, ...identity.config],
  }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return undefined
  const conflict = await describeConflict(context, place, job.target)
  if (conflict === undefined) throw gitFailure(call, result)
  return conflict
}

const MERGE = [
  'merge',
  '--no-ff',
  '--no-edit',
  '--no-stat',
  '--no-verify',
  '--no-autostash',
  '--commit',
  '--no-squash',
]

/** Settings of the user that would rewrite other branches, drop or join commits, or remember our conflicts. */
const QUIET_REPLAY = [
  'rebase.autoSquash=false',
  'rebase.autoStash=false',
  'rebase.updateRefs=false',
  'rebase.forkPoint=false',
  'rebase.rebaseMerges=false',
  'rebase.missingCommitsCheck=ignore',
  'rebase.stat=false',
  'rerere.enabled=false',
  'notes.rewrite.rebase=false',
  'merge.autoStash=false',
  'merge.verifySignatures=false',
  'merge.log=false',
  'merge.conflictStyle=merge',
]

async function finish(
  context: GitContext,
  repository: Repository,
  job: { place: WorktreePlace; target: Sha; hasMerges: boolean },
): Promise<Candidate> {
  const inside = inWorktree(job.place)
  const [sha = '', tree] = (await context.git.run({ ...inside, args: ['rev-parse', 'HEAD', 'HEAD^{tree}'] }))
    .trim()
    .split('\n')
  if (sha === job.target) return { kind: 'empty' }
  // A merge is a commit even when it brings nothing.
  const targetTree = (
    await context.git.run({ ...inside, args: ['rev-parse', `${job.target}^{tree}`] })
  ).trim()
  if (job.hasMerges && tree === targetTree) return { kind: 'empty' }
  return { kind: 'ready', sha, commits: await countRange(context, repository, [`${job.target}..${sha}`]) }
}

async function countRange(
  context: GitContext,
  repository: Repository,
  args: readonly string[],
): Promise<number> {
  return Number(await context.git.run({ ...at(repository), args: ['rev-list', '--count', ...args, '--'] }))
}
