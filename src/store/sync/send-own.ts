import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError } from '../../domain/errors.js'
import type { Transferred } from '../../ports/upkeep.js'
import { commitHistory } from '../commit-history.js'
import { runGit } from '../git-process.js'
import { LOG_FILE, listLog } from '../layout.js'
import { isMissing } from '../segment-bytes.js'
import { chainFiles, type HistoryNote, readHistoryNote } from '../uncommitted.js'
import { heldContent } from './apply-chain.js'
import { holdsFacts } from './holds-facts.js'
import { isBase, planChain } from './plan-chain.js'
import { type ChainReading, readChain } from './read-chain.js'
import { fetchChains, pushRef, remoteRef, trackedTips } from './remote-git.js'
import { scanLog } from './scan-log.js'
import { flushFiles, type SyncRun } from './sync-context.js'
import { takeNewId } from './take-new-id.js'

/** Each lost race means that somebody else moved our own branch; that is rare, and never in a row. */
const MAX_TRIES = 6

/**
 * Brings our branch on the remote to what is here, and fetches everything else with it. When the remote's branch of our id
 * holds records that are not here, somebody else writes under it: we take a new id, and nothing of either side is lost.
 */
export async function sendOwn(run: SyncRun): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    if (!isOurChainWhole(run)) await replaceShortChain(run)
    const { clone } = run.identity
    const tip = await commitOwn(run)
    const expected = run.note.pushed[clone]?.commit
    if (tip.commit !== '' && tip.commit !== expected) await push(run, clone, tip)
    await fetchChains(run.call)
    run.settings.onStep('sync:fetched')
    const actual = (await trackedTips(run.call)).get(clone)
    if ((actual ?? '') === tip.commit) {
      if (tip.commit !== '') notePushed(run, clone, tip)
      return
    }
    await settleDifference(run, actual)
  }
  throw new ConflictError(`others kept moving the branch of ${run.identity.clone} on the remote`, {
    code: 'sync-contention',
    hint: 'run gt sync again',
  })
}

/** Everything of ours as one commit, every byte of it on disk. */
async function commitOwn(run: SyncRun): Promise<HistoryNote> {
  const { paths, settings, identity } = run
  await commitHistory({ paths, settings, identity })
  settings.onStep('sync:committed')
  const note = readHistoryNote(paths)
  const known = run.note.pushed[identity.clone]?.files ?? {}
  const own = Object.entries(note.files).filter(([name]) => name.startsWith(`${identity.clone}-`))
  run.receipt.withheld = (note.refused ?? []).filter((name) => name.startsWith(`${identity.clone}-`))
  flushFiles(
    run,
    own.filter(([name, size]) => known[name] !== size).map(([name]) => name),
  )
  settings.onStep('sync:flushed')
  return { ...note, files: Object.fromEntries(own) }
}

async function push(run: SyncRun, clone: string, tip: HistoryNote): Promise<void> {
  const before = run.note.pushed[clone]
  const ref = remoteRef(run.call.remote, clone)
  const outcome = await pushRef(run.call, { ref, value: tip.commit, expected: before?.commit })
  run.settings.onStep('sync:pushed')
  if (outcome === 'stale') return
  const sent = countNew(run, { sizes: tip.files, known: before?.files ?? {} })
  run.receipt.sent.records += sent.records
  run.receipt.sent.bytes += sent.bytes
  notePushed(run, clone, tip)
}

function notePushed(run: SyncRun, clone: string, tip: HistoryNote): void {
  if (run.note.pushed[clone]?.commit === tip.commit) return
  run.note.pushed[clone] = { commit: tip.commit, files: tip.files, at: run.settings.now() }
  run.save()
  run.settings.onStep('sync:noted')
}

interface Sending {
  /** Bytes of each file that go out. */
  sizes: Readonly<Record<string, number>>
  /** Bytes of each file that the remote has. */
  known: Readonly<Record<string, number>>
}

export function countNew({ paths }: SyncRun, { sizes, known }: Sending): Transferred {
  const count: Transferred = { records: 0, bytes: 0 }
  const isFirst = Object.keys(known).length === 0
  for (const [name, size] of Object.entries(sizes)) {
    const bytes = readNew(join(paths.log, name), known[name] ?? 0, size)
    count.bytes += bytes.length
    // A base says again what was sent as segments.
    if (isFirst || !isBase(name)) count.records += scanLog(bytes).records
  }
  return count
}

/** All that is here of a chain, as far as it is no commit yet. */
export function sizesHere({ paths }: SyncRun, clone: string): Record<string, number> {
  return Object.fromEntries(chainFiles(paths, clone).map((name) => [name, Number.POSITIVE_INFINITY]))
}

function readNew(path: string, from: number, to: number): Buffer {
  try {
    return readFileSync(path).subarray(from, to)
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  }
}

/** The remote's branch of our id is not what we pushed. */
async function settleDifference(run: SyncRun, actual: string | undefined): Promise<void> {
  const { clone } = run.identity
  if (actual === undefined) {
    // Deleted there, or another remote under the same address: it goes out again as a whole.
    delete run.note.pushed[clone]
    return
  }
  const theirs = await readChain(run, clone, actual)
  const isOurs =
    (await isOwnCommit(run, actual)) || (theirs.kind === 'chain' && holdsAllOf(run, clone, theirs))
  if (!isOurs) {
    await takeNewId(run, theirs)
    return
  }
  const sizes = theirs.kind === 'chain' ? [...theirs.log].map(([name, { length }]) => [name, length]) : []
  run.note.pushed[clone] = { commit: actual, files: Object.fromEntries(sizes), at: run.settings.now() }
}

/** Reachable from a branch or an archived history of this repository: made here, from records that are here. */
async function isOwnCommit(run: SyncRun, commit: string): Promise<boolean> {
  const { repository, env } = run.call
  const args = ['for-each-ref', '--count=1', '--contains', commit, 'refs/heads/', 'refs/archive/']
  const holders = await runGit({ repository, env, args })
  return holders.exitCode === 0 && holders.stdout !== '' && isOurChainWhole(run)
}

/** False when a backup older than what was pushed was put back over the log. */
function isOurChainWhole(run: SyncRun): boolean {
  const pushed = run.note.pushed[run.identity.clone]?.files ?? {}
  const names = chainFiles(run.paths, run.identity.clone)
  const newestBase = listLog(run.paths.log).get(run.identity.clone)?.bases.at(-1) ?? 0
  return Object.entries(pushed).every(([name, size]) => {
    if (names.includes(name)) return (statSync(join(run.paths.log, name)).size ?? 0) >= size
    return numberOf(name) <= newestBase
  })
}

function numberOf(name: string): number {
  return Number(LOG_FILE.exec(name)?.[2] ?? 0)
}

/** What is missing here would be missing there after the next push: whoever else has our id keeps it. */
async function replaceShortChain(run: SyncRun): Promise<void> {
  const { clone } = run.identity
  await fetchChains(run.call)
  const actual = (await trackedTips(run.call)).get(clone)
  const theirs = actual === undefined ? undefined : await readChain(run, clone, actual)
  if (theirs === undefined || (theirs.kind === 'chain' && holdsAllOf(run, clone, theirs)))
    delete run.note.pushed[clone]
  else await takeNewId(run, theirs)
}

/** Every record of theirs is in our copy of the chain, or covered by a base of ours that says the same. */
export function holdsAllOf(run: SyncRun, clone: string, theirs: ChainReading & { kind: 'chain' }): boolean {
  const held = new Map([...theirs.log].map(([name, content]) => [name, () => content]))
  const ours = heldContent(run, clone)
  return (
    planChain({ clone, held, incoming: ours }).kind === 'apply' &&
    holdsFacts(clone, ours, theirs.log, run.settings.now)
  )
}
