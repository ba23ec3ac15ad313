import { NotFoundError } from '../domain/errors.js'
import type { Sha } from '../ports/repositories.js'
import { type GitResult, NETWORK_SILENCE_MS } from './git-command.js'
import { gitFailure } from './git-failure.js'
import { syncLfs } from './lfs.js'
import { at, type GitContext, type Repository } from './repository.js'

/** @returns what the remote's branch points at now; undefined when it has no such branch */
export async function askRemote(
  context: GitContext,
  repository: Repository,
  branch: string,
): Promise<Sha | undefined> {
  const out = await context.git.run({
    ...at(repository),
    args: ['ls-remote', '--heads', 'origin', `refs/heads/${branch}`],
    silenceMs: NETWORK_SILENCE_MS,
  })
  const line = out.split('\n').find((l) => l.endsWith(`\trefs/heads/${branch}`))
  return line?.split('\t')[0]
}

/** Brings refs/remotes/origin/<branch> up to date. @throws NotFoundError when the remote has no such branch */
export async function fetchBranch(context: GitContext, repository: Repository, branch: string): Promise<Sha> {
  const call = {
    ...at(repository),
    args: [...FETCH, 'origin', `+refs/heads/${branch}:refs/remotes/origin/${branch}`],
    silenceMs: NETWORK_SILENCE_MS,
  }
  const result = await context.git.attempt(call)
  if (/couldn't find remote ref/.test(result.stderr)) throw noSuchBranch(branch, 'the remote')
  if (result.exitCode !== 0) throw gitFailure(call, result)
  return readRef(context, repository, `refs/remotes/origin/${branch}`)
}

export const FETCH = [
  'fetch',
  '--progress',
  '--no-write-fetch-head',
  '--no-auto-maintenance',
  '--no-recurse-submodules',
]

export function noSuchBranch(branch: string, where: string): NotFoundError {
  return new NotFoundError(`${where} has no branch ${branch}`, {
    code: 'branch-not-found',
    hint: 'name an existing branch as the target of the rig in town.toml',
    details: { branch },
  })
}

/** @throws NotFoundError when the ref does not exist */
export async function readRef(context: GitContext, repository: Repository, ref: string): Promise<Sha> {
  const sha = await findRef(context, repository, ref)
  if (sha === undefined)
    throw noSuchBranch(ref.replace(/^refs\/(heads|remotes\/origin)\//, ''), repository.top)
  return sha
}

export async function findRef(
  context: GitContext,
  repository: Repository,
  ref: string,
): Promise<Sha | undefined> {
  const result = await context.git.attempt({
    ...at(repository),
    args: ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`],
  })
  const sha = result.stdout.trim()
  return result.exitCode === 0 && sha !== '' ? sha : undefined
}

/** False when either is unknown here. */
export async function isAncestor(
  context: GitContext,
  repository: Repository,
  pair: { ancestor: Sha; of: Sha },
): Promise<boolean> {
  const call = { ...at(repository), args: ['merge-base', '--is-ancestor', pair.ancestor, pair.of] }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return true
  if (result.exitCode === 1 || /Not a valid commit name|not a valid object/i.test(result.stderr)) return false
  throw gitFailure(call, result)
}

export type Pushed = { kind: 'pushed' } | { kind: 'stale' } | { kind: 'refused'; why: string }

/**
 * Pushes `sha` (or deletes with undefined) only while the remote's branch is at `expected` (undefined: absent).
 * No hook of the user runs, nothing but this one ref is sent.
 * @throws ExternalError when the remote cannot be reached
 */
export async function pushBranch(
  context: GitContext,
  repository: Repository,
  push: { branch: string; sha?: Sha; expected?: Sha },
): Promise<Pushed> {
  const ref = `refs/heads/${push.branch}`
  if (push.sha !== undefined)
    await syncLfs(context, repository, { ref, sha: push.sha, expected: push.expected })
  const call = {
    ...at(repository),
    args: [...PUSH, `--force-with-lease=${ref}:${push.expected ?? ''}`, 'origin', `${push.sha ?? ''}:${ref}`],
    silenceMs: NETWORK_SILENCE_MS,
  }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return { kind: 'pushed' }
  return readRefusal(result) ?? raise(gitFailure(call, result))
}

const PUSH = [
  'push',
  '--porcelain',
  '--progress',
  '--no-verify',
  '--no-follow-tags',
  '--no-signed',
  '--recurse-submodules=no',
]

/** The line of `push --porcelain` for a ref that was not taken: `!<TAB>from:to<TAB>[rejected] (stale info)`. */
function readRefusal(result: GitResult): Pushed | undefined {
  const refusal = /^!\t[^\t]*\t(.*)$/m.exec(result.stdout)?.[1]
  if (refusal === undefined) return undefined
  if (
    /stale info|fetch first|non-fast-forward|incorrect old value|reference already exists|cannot lock ref/.test(
      refusal,
    )
  ) {
    return { kind: 'stale' }
  }
  const words = result.stderr.split('\n').filter((line) => line.startsWith('remote:'))
  const spoken = words.map((line) => line.slice('remote:'.length).trim()).filter((line) => line !== '')
  return { kind: 'refused', why: [...spoken, refusal].join('; ').slice(0, 1000) }
}

function raise(error: Error): never {
  throw error
}
