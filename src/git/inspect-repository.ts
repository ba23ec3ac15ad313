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
 * Commit by commit, so that a file added and deleted again is found too: it would stay in the history.
 *
 * @returns newest first
 */
export async function commitsHolding(
  context: GitContext,
  rig: Rig,
  query: { base: Sha; head: Sha; files: readonly string[]; startsWith: string },
): Promise<{ commit: Sha; file: string }[]> {
  const place = at(await openRepository(context, rig))
  const range = [checkSha(query.head), '--not', checkSha(query.base)]
  const commits = await context.git.run({
    ...place,
    env: { ...place.env, GIT_LITERAL_PATHSPECS: '1' },
    args: ['rev-list', '--full-history', ...range, '--', ...query.files],
  })
  const holding: { commit: Sha; file: string }[] = []
  for (const commit of commits.split('\n').filter((line) => line !== '')) {
    for (const file of query.files) {
      const blob = await context.git.attempt({ ...place, args: ['cat-file', 'blob', `${commit}:${file}`] })
      if (blob.exitCode === 0 && blob.stdout.startsWith(query.startsWith)) holding.push({ commit, file })
    }
  }
  return holding
}
