import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { ExternalError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import type { LeaseAnswer, LeaseRequest } from '../../ports/upkeep.js'
import { writeAtomically } from '../../system/atomic-write.js'
import { isAlive } from '../../system/process-table.js'
import { ownIdentity } from '../clone-identity.js'
import { branchOf, git, initRepository, runGit } from '../git-process.js'
import { LogState } from '../log-state.js'
import type { Place } from './apply-chain.js'
import { remoteFailure } from './remote-failure.js'
import { checkRemoteUrl, pushRef, type RemoteCall, runRemote } from './remote-git.js'
import type { SyncRun } from './sync-context.js'
import { remoteKey } from './sync-note.js'

/**
 * local/leases/<key>.<generation>: a lease that this machine asked for. Written before it is asked, so that one whose process
 * was killed is given back.
 */
interface LeaseNote {
  key: string
  generation: number
  /** What the ref points to when we have it. */
  commit: string
  /** `pid:startTime` of the process that claims. */
  holder: string
  remote: string
}

/** What the commit of a lease says, for whoever comes second. */
interface LeaseWords {
  clone: string
  by: string
  host: string
  at: string
}

const MAX_TRIES = 3

/** See Upkeep.lease. */
export async function takeLease(place: Place, request: LeaseRequest): Promise<LeaseAnswer> {
  checkRemoteUrl(request.remote.url)
  const call = await openCall(place, request)
  const { clone, formerly } = ownIdentity(place.paths, place.settings)
  const ref = leaseRef(request)
  const commit = await leaseCommit(place, call, {
    clone,
    by: request.by,
    host: hostname(),
    at: nowIso(place),
  })
  writeNote(place, request, commit)
  place.settings.onStep('lease:noted')
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await pushRef(call, { ref, value: commit, expected: undefined })
    place.settings.onStep('lease:pushed')
    if (outcome === 'pushed') return { kind: 'leased' }
    const held = await readLease(place, call, ref)
    if (held === undefined) continue
    if ([clone, ...formerly].includes(held.words.clone)) {
      writeNote(place, request, held.commit)
      return { kind: 'leased' }
    }
    rmSync(notePath(place, request), { force: true })
    const { by, host, at, clone: other } = held.words
    return { kind: 'taken', by, clone: other, host, at }
  }
  throw new ExternalError(`${ref} on the remote keeps changing`, {
    code: 'remote-failed',
    hint: 'try again',
  })
}

function leaseRef({ key, generation }: { key: string; generation: number }): string {
  return `refs/gt/lease/${key}/${generation}`
}

async function openCall(place: Place, request: LeaseRequest): Promise<RemoteCall> {
  const { paths, settings } = place
  const { clone } = ownIdentity(paths, settings)
  if (!existsSync(join(paths.git, 'HEAD'))) await initRepository(paths.git, branchOf(clone), settings.env)
  return {
    repository: paths.git,
    remote: request.remote,
    env: settings.env,
    now: settings.now,
    deadlineAtMs: settings.now() + request.timeoutMs,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }
}

function nowIso({ settings }: Place): string {
  return new Date(settings.now()).toISOString()
}

/** A commit without files, for servers that want commits only; never the same twice. */
async function leaseCommit(place: Place, call: RemoteCall, words: LeaseWords): Promise<string> {
  const { repository, env } = call
  const tree = (await git({ repository, env, args: ['mktree'], input: Buffer.alloc(0) })).trim()
  const nonce = randomId(place.settings.random.bytes(10), 10)
  const args = ['commit-tree', tree, '-m', JSON.stringify({ ...words, nonce })]
  return (await git({ repository, env, args })).trim()
}

/** @returns undefined when the ref is gone again */
async function readLease(
  place: Place,
  call: RemoteCall,
  ref: string,
): Promise<{ commit: string; words: LeaseWords } | undefined> {
  const local = `refs/leases/${randomId(place.settings.random.bytes(8), 8)}`
  const args = [
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
    '--refmap=',
  ]
  const result = await runRemote(call, [...args, '--', call.remote.url, `+${ref}:${local}`])
  if (/couldn't find remote ref/i.test(result.stderr)) return undefined
  if (result.exitCode !== 0) throw remoteFailure('fetch', call.remote.url, result)
  const { repository, env } = call
  const shown = await runGit({ repository, env, args: ['show', '--no-patch', '--format=%H%n%B', local] })
  await runGit({ repository, env, args: ['update-ref', '-d', local] })
  const newline = shown.stdout.indexOf('\n')
  return { commit: shown.stdout.slice(0, newline), words: parseWords(shown.stdout.slice(newline + 1)) }
}

function parseWords(text: string): LeaseWords {
  const unknown = { clone: '?', by: 'somebody', host: '?', at: '?' }
  try {
    const words = JSON.parse(text) as Partial<LeaseWords> | null
    return { ...unknown, ...words }
  } catch {
    return unknown
  }
}

function notePath({ paths }: Place, { key, generation }: { key: string; generation: number }): string {
  return join(paths.local, 'leases', `${key}.${generation}`)
}

function writeNote(place: Place, request: LeaseRequest, commit: string): void {
  const { paths, settings } = place
  mkdirSync(join(paths.local, 'leases'), { recursive: true, mode: 0o700 })
  const { key, generation, holder, remote } = request
  const note: LeaseNote = { key, generation, commit, holder, remote: remoteKey(remote) }
  writeAtomically(notePath(place, request), JSON.stringify(note), {
    temporary: join(paths.local, `incoming-${randomId(settings.random.bytes(10), 10)}.tmp`),
    durable: settings.isDurable,
  })
}

/**
 * Leases that are over: the claim they were for is recorded (and with the exchange that follows, known to all), or its
 * process is gone without having recorded one. Looked up before own records go out; given back after.
 */
export function endedLeases({ paths, settings, call }: SyncRun): LeaseNote[] {
  const notes = readNotes(paths.local).filter(({ remote }) => remote === remoteKey(call.remote))
  if (notes.length === 0) return []
  const log = new LogState(paths, settings.now)
  log.refresh()
  const ended = notes.filter(({ key, generation, holder }) => {
    const [pid = '', startTime = ''] = holder.split(':')
    const isClaimed = (log.table.peek(key)?.state.gen ?? 0) >= generation
    return isClaimed || !isAlive(Number(pid), startTime)
  })
  log.close()
  return ended
}

function readNotes(local: string): LeaseNote[] {
  const folder = join(local, 'leases')
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(folder, name), 'utf8')) as LeaseNote]
    } catch {
      return []
    }
  })
}

export async function giveBackLeases(run: SyncRun, leases: readonly LeaseNote[]): Promise<void> {
  for (const lease of leases) {
    // Stale: it never was ours, or is gone already.
    await pushRef(run.call, { ref: leaseRef(lease), value: undefined, expected: lease.commit })
    rmSync(notePath(run, lease), { force: true })
    run.settings.onStep('sync:lease-returned')
  }
}
