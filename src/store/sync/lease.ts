import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ExternalError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import type { LeaseAnswer, LeaseRequest } from '../../ports/upkeep.js'
import { ownIdentity } from '../clone-identity.js'
import { branchOf, git, initRepository, runGit } from '../git-process.js'
import type { Place } from './apply-chain.js'
import {
  forgetLease,
  isHolderAlive,
  isOfThisHost,
  type LeaseHolder,
  type LeaseNote,
  leaseHolder,
  noteLease,
} from './lease-note.js'
import { remoteFailure } from './remote-failure.js'
import { checkRemoteUrl, pushRef, type RemoteCall, runRemote } from './remote-git.js'
import type { SyncRun } from './sync-context.js'

/** What the commit of a lease says, for whoever comes second. */
interface LeaseWords extends LeaseHolder {
  by: string
  at: string
}

interface HeldLease {
  commit: string
  words: LeaseWords
}

const MAX_TRIES = 3

/**
 * See Upkeep.lease. Every request has a commit and a note of its own, so that no request can take away what another one knows
 * of the lease it has.
 */
export async function takeLease(place: Place, request: LeaseRequest): Promise<LeaseAnswer> {
  checkRemoteUrl(request.remote.url)
  const call = await openCall(place, request)
  const asker = leaseHolder(place, request.holder)
  const commit = await leaseCommit(place, call, { ...asker, by: request.by, at: nowIso(place) })
  noteLease(place, request, { ...asker, commit })
  place.settings.onStep('lease:noted')
  const ref = leaseRef(request)
  // Undefined: nobody has it yet.
  let expected: string | undefined
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await pushRef(call, { ref, value: commit, expected })
    place.settings.onStep('lease:pushed')
    if (outcome === 'pushed') return { kind: 'leased' }
    const held = await readLease(place, call, ref)
    const finding = held === undefined ? 'free' : judge(held.words, asker)
    if (held !== undefined && (finding === 'ours' || finding === 'taken')) {
      if (finding === 'ours') noteLease(place, request, { ...asker, commit: held.commit })
      if (held.commit !== commit) forgetLease(place, commit)
      return finding === 'ours' ? { kind: 'leased' } : taken(held)
    }
    // Of several that find the holder dead, the remote lets one take its place.
    expected = held?.commit
  }
  throw new ExternalError(`${ref} on the remote keeps changing`, {
    code: 'remote-failed',
    hint: 'try again',
  })
}

/**
 * A former id is no proof that a lease is ours: a copied directory has the same ones. Nor is our present id, while the process
 * that asked for it may still be about to claim.
 */
function judge(words: LeaseWords, asker: LeaseHolder): 'ours' | 'left' | 'taken' {
  if (words.clone !== asker.clone || !isOfThisHost(words, asker) || words.holder === '') return 'taken'
  if (words.holder === asker.holder) return 'ours'
  return isHolderAlive(words.holder) ? 'taken' : 'left'
}

function taken({ words: { by, clone, host, at } }: HeldLease): LeaseAnswer {
  return { kind: 'taken', by, clone, host, at }
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
async function readLease(place: Place, call: RemoteCall, ref: string): Promise<HeldLease | undefined> {
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
  const unknown = { clone: '?', by: 'somebody', host: '?', at: '?', holder: '', machine: '' }
  try {
    const words = JSON.parse(text) as Partial<LeaseWords> | null
    return { ...unknown, ...words }
  } catch {
    return unknown
  }
}

export async function giveBackLeases(run: SyncRun, leases: readonly LeaseNote[]): Promise<void> {
  for (const lease of leases) {
    // Stale: it never was ours, or is gone already.
    await pushRef(run.call, { ref: leaseRef(lease), value: undefined, expected: lease.commit })
    forgetLease(run, lease.commit)
    run.settings.onStep('sync:lease-returned')
  }
}
