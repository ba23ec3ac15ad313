import { ExternalError, TimeoutError, UsageError } from '../../domain/errors.js'
import type { Remote } from '../../ports/upkeep.js'
import { type GroupResult, runInGroup } from '../../system/run-in-group.js'
import { branchOf, type Env, runGit } from '../git-process.js'
import { errorCode } from '../segment-bytes.js'
import { removeStaleLock } from '../stale-git-lock.js'
import { remoteFailure, withoutSecrets } from './remote-failure.js'

/** Where the branches of other clones (and our own, as the remote has it) are kept after a fetch. */
export const TRACKING = 'refs/remotes/origin/beads/'
/** Prefix of the branches on a remote that is shared with a project: no `git branch -r` shows them. */
const HIDDEN = 'refs/gt/beads/'
const BRANCHES = branchOf('')

/** One conversation with the remote: all of its git commands share the deadline. */
export interface RemoteCall {
  repository: string
  remote: Remote
  env: Env
  /** Milliseconds since the epoch. */
  deadlineAtMs: number
  now: () => number
  signal?: AbortSignal
}

export function remotePrefix(remote: Remote): string {
  return remote.refs === 'hidden' ? HIDDEN : BRANCHES
}

export function remoteRef(remote: Remote, clone: string): string {
  return `${remotePrefix(remote)}${clone}`
}

/**
 * Refused before it is stored or shown: a password, and what git would take for an option.
 * @throws UsageError codes `secret-in-url`, `bad-remote`
 */
export function checkRemoteUrl(url: string): void {
  if (url === '' || url.startsWith('-') || /[\u0000-\u001f\u007f]/.test(url)) {
    throw new UsageError('that is no address of a git remote', {
      code: 'bad-remote',
      hint: 'an address such as git@host:team/beads.git, https://host/team/beads.git or a path',
    })
  }
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@/i.test(url)) {
    throw new UsageError('that address holds a password, and gt would store and show it', {
      code: 'secret-in-url',
      hint: 'leave it out and let git ask its credential helper: git config --global credential.helper store',
    })
  }
}

/** @throws ExternalError, TimeoutError: see remoteFailure */
export async function fetchChains(call: RemoteCall): Promise<void> {
  const refspec = `+${remotePrefix(call.remote)}*:${TRACKING}*`
  const flags = ['--quiet', '--no-tags', '--prune', '--no-write-fetch-head', '--no-auto-maintenance']
  const args = ['fetch', ...flags, '--no-recurse-submodules', '--refmap=', '--', call.remote.url, refspec]
  const result = await runRemote(call, args)
  if (result.exitCode !== 0) throw remoteFailure('fetch', call.remote.url, result)
}

/** Tips of all chains as the remote had them at the last fetch, by name: clone ids, and whatever else lies there. */
export async function trackedTips(
  call: Pick<RemoteCall, 'repository' | 'env'>,
): Promise<Map<string, string>> {
  const args = ['for-each-ref', '--format=%(objectname) %(refname)', TRACKING]
  const result = await runGit({ repository: call.repository, env: call.env, args })
  const tips = new Map<string, string>()
  for (const line of result.stdout.split('\n')) {
    const space = line.indexOf(' ')
    if (space > 0) tips.set(line.slice(space + 1 + TRACKING.length), line.slice(0, space))
  }
  return tips
}

/** `stale`: the ref on the remote is not what was expected. */
export type PushOutcome = 'pushed' | 'stale'

export interface RefPush {
  ref: string
  /** Undefined: delete. */
  value: string | undefined
  /** Undefined: it must not exist. */
  expected: string | undefined
}

/**
 * Moves one ref on the remote by compare-and-swap.
 * @throws ExternalError code `remote-refused` and those of remoteFailure
 */
export async function pushRef(call: RemoteCall, push: RefPush): Promise<PushOutcome> {
  const lease = `--force-with-lease=${push.ref}:${push.expected ?? ''}`
  const flags = ['--porcelain', '--quiet', '--no-verify', '--no-follow-tags', '--no-signed']
  const spec = `${push.value ?? ''}:${push.ref}`
  const args = ['push', ...flags, '--recurse-submodules=no', lease, '--', call.remote.url, spec]
  const result = await runRemote(call, args)
  if (result.exitCode === 0) return 'pushed'
  const refusal = /^!\t[^\t]*\t(.*)$/m.exec(result.stdout.toString('utf8'))?.[1]
  if (refusal === undefined) throw remoteFailure('push', call.remote.url, result)
  if (
    /stale info|cannot lock ref|incorrect old value|already exists|failed to update ref|remote ref does not exist/.test(
      refusal,
    )
  )
    return 'stale'
  throw refused(call.remote.url, push.ref, refusal, result.stderr)
}

function refused(url: string, ref: string, refusal: string, stderr: string): ExternalError {
  const words = stderr
    .split('\n')
    .filter((line) => line.startsWith('remote:'))
    .map((line) => line.slice('remote:'.length).trim())
    .filter((line) => line !== '')
  const why = withoutSecrets([...words, refusal].join('; ').slice(0, 600))
  return new ExternalError(`${withoutSecrets(url)} refused ${ref}: ${why}`, {
    code: 'remote-refused',
    hint: /non-fast-forward/.test(refusal)
      ? 'let the owner of a branch replace it there: receive.denyNonFastForwards = false'
      : 'look at the rules and hooks of that repository; [store] remote_refs = "hidden" keeps out of its branches',
    details: { ref, why },
  })
}

/** @returns value of one ref on the remote, asked now; undefined when it does not exist */
export async function askRemoteRef(call: RemoteCall, ref: string): Promise<string | undefined> {
  const result = await runRemote(call, ['ls-remote', '--quiet', '--', call.remote.url, ref])
  if (result.exitCode !== 0) throw remoteFailure('ls-remote', call.remote.url, result)
  const line = result.stdout
    .toString('utf8')
    .split('\n')
    .find((one) => one.endsWith(`\t${ref}`))
  return line?.split('\t')[0]
}

/** Any exit code is an answer. The user's own git settings hold: their credentials, proxies and ssh. */
export async function runRemote(call: RemoteCall, args: readonly string[]): Promise<GroupResult> {
  const result = await runRemoteOnce(call, args)
  const isLocked = result.exitCode !== 0 && removeStaleLock(call.repository, result.stderr)
  return isLocked ? runRemoteOnce(call, args) : result
}

async function runRemoteOnce(call: RemoteCall, args: readonly string[]): Promise<GroupResult> {
  const leftMs = call.deadlineAtMs - call.now()
  if (leftMs <= 0) throw outOfTime(call, args)
  const fixed = FIXED_CONFIG.flatMap((setting) => ['-c', setting])
  const run = {
    argv: ['git', ...fixed, `--git-dir=${call.repository}`, ...args],
    env: await remoteEnv(call),
    timeoutMs: leftMs,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  }
  let result: GroupResult
  try {
    result = await runInGroup(run)
  } catch (error) {
    throw new ExternalError('git could not be run', {
      code: errorCode(error) === 'ENOENT' ? 'git-missing' : 'git-failed',
      cause: error,
    })
  }
  if (result.ended === 'timeout') throw outOfTime(call, args)
  // Ctrl-C is no failure of the remote.
  if (result.ended === 'abort') throw call.signal?.reason ?? new Error('interrupted')
  return result
}

function outOfTime(call: RemoteCall, args: readonly string[]): TimeoutError {
  const url = withoutSecrets(call.remote.url)
  return new TimeoutError(`${url} did not answer in time (git ${args[0]})`, {
    code: 'remote-timeout',
    hint: 'check the network, or give it longer: gt sync --timeout 10m',
    details: { remote: url },
  })
}

/** Given on the command line: they also hold for the processes that git starts. */
const FIXED_CONFIG = [
  'core.hooksPath=/dev/null',
  'color.ui=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'fetch.writeCommitGraph=false',
  'push.useForceIfIncludes=false',
]

/** Who the user is and how to reach the network; never which repository. */
const KEPT =
  /^GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|SSL_\w+|HTTP_\w+|PROXY_\w+|CURL_\w+|EXEC_PATH|ALLOW_PROTOCOL)$/
const DROPPED = new Set(['EDITOR', 'VISUAL', 'PAGER', 'LANGUAGE', 'SSH_ASKPASS'])

async function remoteEnv(call: RemoteCall): Promise<Record<string, string>> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(call.env)) {
    if (value === undefined || DROPPED.has(name)) continue
    if (name.startsWith('GIT_') && !KEPT.test(name)) continue
    env[name] = value
  }
  const prepared = { ...env, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', SSH_ASKPASS_REQUIRE: 'never' }
  const command = env.GIT_SSH_COMMAND ?? env.GIT_SSH
  if (command !== undefined || !isSsh(call.remote.url) || (await hasOwnSsh(call, prepared))) return prepared
  return { ...prepared, GIT_SSH_COMMAND: QUIET_SSH }
}

const QUIET_SSH =
  'ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4'

function isSsh(url: string): boolean {
  return /^(ssh|git\+ssh):\/\//i.test(url) || (/^[^/\s:]+:/.test(url) && !url.includes('://'))
}

/** core.sshCommand of the user's own configuration must not be overruled by ours. */
async function hasOwnSsh(call: RemoteCall, env: Record<string, string>): Promise<boolean> {
  const argv = ['git', `--git-dir=${call.repository}`, 'config', '--get', 'core.sshCommand']
  return (await runInGroup({ argv, env }).catch(() => undefined))?.exitCode === 0
}
