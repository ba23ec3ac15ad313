import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { NotFoundError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Clock } from '../ports/clock.js'
import type { Git } from './git-command.js'

/** What every module of this folder works with. */
export interface GitContext {
  git: Git
  /** The environment git runs in, for the few programs that are asked directly (gpg, ssh-keygen). */
  env: Record<string, string>
  townRoot: string
  clock: Clock
  /** Called between the steps of long operations; tests stop the process there. */
  onStep(step: string): void
  /** Files of ours that outlive a killed process: locks and notes of what was begun. */
  lockDir: string
  /** One holder of `name` at a time, across processes. */
  lock<T>(name: string, fn: () => Promise<T>): Promise<T>
  /** Few checkouts at a time: more than the machine has cores gains nothing. */
  limitCheckouts<T>(fn: () => Promise<T>): Promise<T>
  checkoutWorkers: number
  /** Clones found before, by the path they were asked for. */
  clones: Map<string, { gitDir: string; top: string }>
}

/** The repository that holds the refs of a rig. */
export interface Repository {
  /** Git's common directory, absolute and without symbolic links. */
  gitDir: string
  /** What a person calls it: the top of the clone, or the bare directory. */
  top: string
  /** Full ref name of the target as last known here. */
  targetRef: string
  isRemote: boolean
}

export function bareDirectory(townRoot: string, rigName: string): string {
  return join(townRoot, 'rigs', rigName, 'repo.git')
}

/** @throws NotFoundError when the clone is gone or was never made */
export async function openRepository(
  context: Pick<GitContext, 'git' | 'townRoot' | 'clones'>,
  rig: Rig,
): Promise<Repository> {
  if (rig.source.kind === 'url') {
    const gitDir = bareDirectory(context.townRoot, rig.name)
    if (!existsSync(gitDir)) {
      throw new NotFoundError(`rig ${rig.name} has no clone at ${gitDir}`, {
        code: 'rig-not-prepared',
        hint: `gt rig add ${rig.name} ${rig.source.url}`,
      })
    }
    const real = await realpath(gitDir)
    return { gitDir: real, top: real, targetRef: `refs/remotes/origin/${rig.branch}`, isRemote: true }
  }
  const found = await knownClone(context, rig.source.path)
  if (found === undefined) {
    throw new NotFoundError(`rig ${rig.name}: there is no git repository at ${rig.source.path}`, {
      code: 'repository-not-found',
      hint: `gt rig show ${rig.name}`,
    })
  }
  return { ...found, targetRef: `refs/heads/${rig.branch}`, isRemote: false }
}

async function knownClone(
  context: Pick<GitContext, 'git' | 'clones'>,
  path: string,
): Promise<{ gitDir: string; top: string } | undefined> {
  const known = context.clones.get(path)
  if (known !== undefined && existsSync(path) && existsSync(join(known.gitDir, 'HEAD'))) return known
  const found = await locateClone(context.git, path)
  if (found === undefined) context.clones.delete(path)
  else context.clones.set(path, found)
  return found
}

/** Runs at the repository itself, not in any worktree. GIT_DIR is set because safe.bareRepository may forbid finding it. */
export function at(repository: { gitDir: string }): { cwd: string; env: Record<string, string> } {
  return { cwd: repository.gitDir, env: { GIT_DIR: repository.gitDir } }
}

/** The main clone around `path`; a worktree leads to the clone it belongs to. */
export async function locateClone(
  git: Git,
  path: string,
): Promise<{ gitDir: string; top: string } | undefined> {
  const folder = nearestFolder(resolve(path))
  // With safe.bareRepository=explicit git does not even look at the clone from inside its .git folder.
  const cwd = basename(folder) === '.git' ? dirname(folder) : folder
  const asked = await git.attempt({
    cwd,
    args: [
      'rev-parse',
      '--path-format=absolute',
      '--git-dir',
      '--git-common-dir',
      '--is-bare-repository',
      '--is-inside-work-tree',
    ],
  })
  const bare = asked.exitCode === 0 ? undefined : await bareAt(git, cwd)
  if (bare !== undefined) return bare
  if (asked.exitCode !== 0) return undefined
  const [gitDir = '', commonDir = '', isBare, isInside] = asked.stdout.trimEnd().split('\n')
  const common = await realpath(commonDir)
  if (gitDir === commonDir && isBare !== 'true' && isInside === 'true') {
    const top = await git.run({ cwd, args: ['rev-parse', '--path-format=absolute', '--show-toplevel'] })
    return { gitDir: common, top: withoutNewline(top) }
  }
  if (isBare === 'true' && gitDir === commonDir) return { gitDir: common, top: common }
  return { gitDir: common, top: await mainWorktree(git, common) }
}

/** From inside a linked worktree or a .git folder. */
async function mainWorktree(git: Git, gitDir: string): Promise<string> {
  const listed = await git.attempt({ ...at({ gitDir }), args: ['worktree', 'list', '--porcelain', '-z'] })
  const first = /^worktree ([^\0]*)\0/.exec(listed.stdout)?.[1]
  if (first !== undefined && first !== '') return first
  return gitDir.endsWith('/.git') ? dirname(gitDir) : gitDir
}

/** With safe.bareRepository=explicit git does not find a bare repository by itself. */
async function bareAt(git: Git, path: string): Promise<{ gitDir: string; top: string } | undefined> {
  if (!existsSync(join(path, 'HEAD')) || !existsSync(join(path, 'objects'))) return undefined
  const asked = await git.attempt({
    cwd: path,
    env: { GIT_DIR: path },
    args: ['rev-parse', '--is-bare-repository'],
  })
  if (asked.stdout.trim() !== 'true') return undefined
  const real = await realpath(path)
  return { gitDir: real, top: real }
}

function nearestFolder(path: string): string {
  let folder = path
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

/** Paths may end in blanks, so only the newline that git added goes. */
export function withoutNewline(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text
}
