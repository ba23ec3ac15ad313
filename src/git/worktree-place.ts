import { existsSync } from 'node:fs'
import { readdir, readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { NotFoundError } from '../domain/errors.js'
import { quoted } from './names.js'
import type { Repository } from './repository.js'

/** A worktree as its administrative folder knows it: true even when an agent deleted or replaced the `.git` file. */
export interface WorktreePlace {
  path: string
  /** `<common dir>/worktrees/<id>` */
  adminDir: string
  /** Git has no record of it (any more); adminDir is the repository itself then and its HEAD is somebody else's. */
  isOrphan?: true
}

/**
 * Finds the worktree by git's own record of paths. The `.git` file inside it is only a shortcut:
 * it belongs to whoever works there, so it is believed when the record agrees.
 */
export async function findWorktree(repository: Repository, path: string): Promise<WorktreePlace | undefined> {
  const link = join(await settledPath(path), '.git')
  const shortcut = await adminDirOf(link)
  if (
    shortcut !== undefined &&
    dirname(dirname(shortcut)) === repository.gitDir &&
    (await recordOf(shortcut)) === link
  ) {
    return { path, adminDir: shortcut }
  }
  const all = join(repository.gitDir, 'worktrees')
  for (const id of await readdir(all).catch(() => [])) {
    if ((await recordOf(join(all, id))) === link) return { path, adminDir: join(all, id) }
  }
  return undefined
}

/** @throws NotFoundError code `worktree-not-found` */
export async function getWorktree(repository: Repository, path: string): Promise<WorktreePlace> {
  const found = await findWorktree(repository, path)
  if (found !== undefined) return found
  throw new NotFoundError(`there is no worktree of ${repository.top} at ${path}`, {
    code: 'worktree-not-found',
    hint: `git -C ${quoted(repository.top)} worktree list`,
    details: { path },
  })
}

/**
 * Like getWorktree, but files whose record was pruned still count while their `.git` file names this repository.
 * Anything less would let a wrong path, the user's own clone say, pass for a worktree of ours.
 */
export async function findWorktreeOrOrphan(repository: Repository, path: string): Promise<WorktreePlace> {
  const found = await findWorktree(repository, path)
  if (found !== undefined) return found
  const target = await linkTarget(join(path, '.git'))
  const isOurs = target !== undefined && (await settledPath(dirname(dirname(target)))) === repository.gitDir
  if (!isOurs) return getWorktree(repository, path)
  return { path: await settledPath(path), adminDir: repository.gitDir, isOrphan: true }
}

/** Runs git on the worktree without asking its `.git` file. */
export function inWorktree(place: WorktreePlace): { cwd: string; env: Record<string, string> } {
  const cwd = existsSync(place.path) ? place.path : place.adminDir
  return { cwd, env: { GIT_DIR: place.adminDir, GIT_WORK_TREE: place.path } }
}

/** Branch that HEAD names, read without starting git; undefined when detached or broken. */
export async function branchOf(adminDir: string): Promise<string | undefined> {
  return /^ref: refs\/heads\/(.+)\n?$/.exec(await readText(join(adminDir, 'HEAD')))?.[1]
}

/** What stands half done in a git directory, in the words of `git status`. */
export function operationIn(gitDir: string): string | undefined {
  const signs: [string, string][] = [
    ['rebase-merge', 'rebase'],
    ['rebase-apply', 'rebase'],
    ['MERGE_HEAD', 'merge'],
    ['CHERRY_PICK_HEAD', 'cherry-pick'],
    ['REVERT_HEAD', 'revert'],
    ['BISECT_LOG', 'bisect'],
  ]
  return signs.find(([file]) => existsSync(join(gitDir, file)))?.[1]
}

/** Absolute, with symbolic links in the parents resolved as git records them; the path itself may be gone. */
export async function settledPath(path: string): Promise<string> {
  const absolute = resolve(path)
  const real = await realpath(absolute).catch(() => undefined)
  if (real !== undefined) return real
  const parent = dirname(absolute)
  return parent === absolute ? absolute : join(await settledPath(parent), basename(absolute))
}

async function adminDirOf(link: string): Promise<string | undefined> {
  const target = await linkTarget(link)
  return target === undefined ? undefined : realpath(target).catch(() => undefined)
}

async function linkTarget(link: string): Promise<string | undefined> {
  const target = /^gitdir: (.+?)\n*$/s.exec(await readText(link))?.[1]
  return target === undefined ? undefined : resolve(dirname(link), target)
}

async function recordOf(adminDir: string): Promise<string | undefined> {
  const text = (await readText(join(adminDir, 'gitdir'))).replace(/\n$/, '')
  if (text === '') return undefined
  const link = resolve(adminDir, text)
  return join(await settledPath(dirname(link)), basename(link))
}

export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
