import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConflictError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import type { GitResult } from './git-command.js'
import { gitFailure } from './git-failure.js'
import { checkBranch, checkSha, quoted, shortHash } from './names.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'
import {
  branchOf,
  findWorktree,
  inWorktree,
  readText,
  settledPath,
  type WorktreePlace,
} from './worktree-place.js'

interface Request {
  path: string
  branch: string
  base: Sha
}

/**
 * What a killed process leaves, in order: a note, a branch at base, a half-made administrative folder, a worktree
 * without index and files, a whole one. The note tells our own leftovers from a branch that somebody else made.
 */
export async function addWorktree(
  context: GitContext,
  request: Request & { rig: Rig },
): Promise<{ head: Sha }> {
  checkBranch(request.branch)
  checkSha(request.base)
  const repository = await openRepository(context, request.rig)
  const path = await settledPath(request.path)
  const note = join(context.lockDir, `adding-${shortHash(path)}`)
  return context.lock(`worktree-${shortHash(path)}`, async () => {
    const begun = readNote(await readText(note))
    let place =
      existsSync(path) || begun !== undefined
        ? await takeUp(repository, { ...request, path }, begun)
        : undefined
    const isNew = place === undefined
    if (place === undefined) {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(note, `${request.branch}\n${request.base}\n`)
      await rm(join(context.lockDir, `removing-${shortHash(path)}`), { force: true })
      context.onStep('worktree-noted')
      place = await register(context, repository, { request: { ...request, path }, begun, note })
      context.onStep('worktree-registered')
    }
    // Without a note of ours a missing index is the agent's doing, and a reset would cost its work.
    const mayFill =
      isNew || begun !== undefined || (await readdir(place.path)).every((name) => name === '.git')
    if (mayFill) await fillWorktree(context, place)
    context.onStep('worktree-filled')
    await rm(note, { force: true })
    if (isNew) return { head: request.base }
    const head = await context.git.run({ ...inWorktree(place), args: ['rev-parse', 'HEAD'] })
    return { head: head.trim() }
  })
}

interface Begun {
  branch: string
  base: Sha
}

function readNote(text: string): Begun | undefined {
  const [branch, base] = text.split('\n')
  return branch && base ? { branch, base } : undefined
}

/** @returns the worktree when it stands; undefined when the place is free, ours half-made things cleared */
async function takeUp(
  repository: Repository,
  request: Request,
  begun: Begun | undefined,
): Promise<WorktreePlace | undefined> {
  const found = await findWorktree(repository, request.path)
  if (found !== undefined && (await isRegistered(found, request.branch))) return found
  if (begun !== undefined && (found === undefined || !existsSync(join(found.adminDir, 'index')))) {
    await clearHalfMade(request.path, found)
  }
  const entries = await readdir(request.path).catch(() => [])
  if (entries.length > 0) {
    throw new ConflictError(`${request.path} exists and is not a worktree on ${request.branch}`, {
      code: 'path-exists',
      hint: 'choose another path, or move what is there out of the way',
      details: { path: request.path, branch: request.branch },
    })
  }
  return undefined
}

/** `git worktree add` writes HEAD last but one and keeps a lock file until the end. */
async function isRegistered(place: WorktreePlace, branch: string): Promise<boolean> {
  return (
    existsSync(join(place.path, '.git')) &&
    existsSync(join(place.adminDir, 'commondir')) &&
    (await branchOf(place.adminDir)) === branch
  )
}

async function clearHalfMade(path: string, found: WorktreePlace | undefined): Promise<void> {
  const entries = await readdir(path).catch(() => [])
  if (entries.every((name) => name === '.git')) {
    await rm(join(path, '.git'), { force: true })
    await rmdir(path).catch(() => undefined)
  }
  if (found !== undefined) await rm(found.adminDir, { recursive: true, force: true })
}

/** Only this part touches shared files of the repository, so only this part holds the lock of the repository. */
async function register(
  context: GitContext,
  repository: Repository,
  job: { request: Request; begun: Begun | undefined; note: string },
): Promise<WorktreePlace> {
  const { path, branch, base } = job.request
  const call = { ...at(repository), args: ['worktree', 'add', '--no-checkout', '-b', branch, path, base] }
  await context.lock(`repository-${shortHash(repository.gitDir)}`, async () => {
    let result = await context.git.attempt(call)
    if (result.exitCode !== 0 && (await clearLeftovers(context, repository, { ...job, result }))) {
      result = await context.git.attempt(call)
    }
    if (result.exitCode === 0) return
    await rm(job.note, { force: true })
    if (!isTaken(result)) throw gitFailure(call, result)
    throw new ConflictError(`branch ${branch} exists already in ${repository.top}`, {
      code: 'branch-exists',
      hint: `git -C ${quoted(repository.top)} branch -m ${branch} <new name>`,
      details: { branch, git: result.stderr.trim() },
    })
  })
  const place = await findWorktree(repository, path)
  if (place === undefined)
    throw gitFailure(call, { exitCode: 0, stdout: '', stderr: `fatal: git made no worktree at ${path}` })
  return place
}

function isTaken(result: GitResult): boolean {
  return /branch named .* already exists|cannot lock ref .* exists; cannot create/.test(result.stderr)
}

/** @returns whether something that may go was in the way and is gone */
async function clearLeftovers(
  context: GitContext,
  repository: Repository,
  job: { request: Request; begun: Begun | undefined; result: GitResult },
): Promise<boolean> {
  const { path, branch, base } = job.request
  // A git of ours that was killed while it made the branch leaves the lock of it.
  const lock = join(repository.gitDir, `refs/heads/${branch}.lock`)
  if (job.begun?.branch === branch && job.result.stderr.includes(`'${lock}': File exists`)) {
    await rm(lock, { force: true })
    return true
  }
  const wasTaken = isTaken(job.result)
  // Git makes the branch first and keeps it when the rest fails.
  const ownBase = wasTaken ? (job.begun?.branch === branch ? job.begun.base : undefined) : base
  if (ownBase === undefined) return false
  const args = ['update-ref', '-d', `refs/heads/${branch}`, ownBase]
  const isFree = (await context.git.attempt({ ...at(repository), args })).exitCode === 0
  if (wasTaken) return isFree
  // The folder was deleted by hand. Its record may go when all it says is which branch was checked out.
  const found = await findWorktree(repository, path)
  if (found === undefined || existsSync(path)) return false
  const isLocked = existsSync(join(found.adminDir, 'locked')) && job.begun === undefined
  if (isLocked || (await branchOf(found.adminDir)) === undefined) return false
  await rm(found.adminDir, { recursive: true, force: true })
  return true
}

/** Checks out HEAD. The index is written after all files, so a worktree that has one is complete. */
export async function fillWorktree(context: GitContext, place: WorktreePlace): Promise<void> {
  if (existsSync(join(place.adminDir, 'index'))) return
  const call = {
    ...inWorktree(place),
    args: ['reset', '--hard', '--quiet'],
    config: [`checkout.workers=${context.checkoutWorkers}`, 'checkout.thresholdForParallelism=50'],
  }
  await context.limitCheckouts(async () => {
    let result = await context.git.attempt(call)
    if (result.exitCode !== 0 && /index\.lock': File exists/.test(result.stderr)) {
      // Held for longer than all retries by a git whose gt was killed: nobody else knows this worktree yet.
      if (existsSync(join(place.adminDir, 'index'))) return
      await rm(join(place.adminDir, 'index.lock'), { force: true })
      result = await context.git.attempt(call)
    }
    if (result.exitCode !== 0) throw gitFailure(call, result)
  })
  // `git worktree add` keeps this lock while it runs; one that was killed leaves it.
  if ((await readText(join(place.adminDir, 'locked'))).startsWith('initializing')) {
    await rm(join(place.adminDir, 'locked'), { force: true })
  }
}
