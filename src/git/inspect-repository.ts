import type { Rig } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import { checkSha } from './names.js'
import { at, type GitContext, locateClone, openRepository } from './repository.js'

export async function findClone(
  context: GitContext,
  path: string,
): Promise<{ top: string; originUrl?: string } | undefined> {
  const found = await locateClone(context.git, path)
  if (found === undefined) return undefined
  const origin = await context.git.attempt({ ...at(found), args: ['config', '--get', 'remote.origin.url'] })
  const originUrl = origin.stdout.trim()
  return { top: found.top, ...(originUrl === '' ? {} : { originUrl }) }
}

export async function isTracked(context: GitContext, path: string, file: string): Promise<boolean> {
  const out = await context.git.run({
    cwd: path,
    env: { GIT_LITERAL_PATHSPECS: '1' },
    args: ['ls-files', '-z', '--', file],
  })
  return out !== ''
}

/**
 * Commit by commit, so that a file added and deleted again is named too: it would stay in the history. Of a merge
 * only files that differ from all its parents count; the rest came with the other side.
 */
export async function changedFiles(
  context: GitContext,
  rig: Rig,
  range: { base: Sha; head: Sha },
): Promise<string[]> {
  const place = at(await openRepository(context, rig))
  const commits = await context.git.run({
    ...place,
    args: ['rev-list', checkSha(range.head), '--not', checkSha(range.base), '--'],
  })
  if (commits === '') return []
  const out = await context.git.run({
    ...place,
    args: [
      'diff-tree',
      '--stdin',
      '-r',
      '-c',
      '--root',
      '--name-only',
      '--no-commit-id',
      '--no-renames',
      '-z',
    ],
    input: commits,
  })
  return [...new Set(out.split('\0').filter((name) => name !== ''))].sort()
}
