import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ExternalError, GtError, OperationError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import type { PurgeReceipt, PurgeRequest } from '../../ports/upkeep.js'
import { writeAtomically } from '../../system/atomic-write.js'
import { withFileLock } from '../../system/file-lock.js'
import { ownIdentity } from '../clone-identity.js'
import { commitHistory } from '../commit-history.js'
import { listLog, type StorePaths } from '../layout.js'
import { LogState } from '../log-state.js'
import { openLedger } from '../open-ledger.js'
import type { Purge } from '../snapshot-format.js'
import { writeError } from '../store-errors.js'
import { collectBlobs, namedBlobs } from './collect-blobs.js'
import { sealNewest } from './compact-chain.js'
import {
  compactContext,
  compactOwn,
  refreshSnapshot,
  type UpkeepContext,
  withCompactionLock,
} from './compact-store.js'
import { forgetHistory } from './forget-history.js'
import { holdsPurged } from './holds-purged.js'
import { knownPurges } from './known-purges.js'
import { countPurged } from './purge-count.js'

/** The record first: from then on it will happen here and everywhere, whatever becomes of this process. */
export async function purge(context: UpkeepContext, request: PurgeRequest): Promise<PurgeReceipt> {
  const preview = previewPurge(context, request)
  const ledger = openLedger(context.paths.root, context.options)
  try {
    const { id, what } = request
    ledger.transact(request.by, () => ({
      ops: [
        ...what.map((target) => ({ o: 'purge' as const, id, what: target })),
        ...(what.includes('*') ? [{ o: 'gone' as const, id }] : []),
      ],
    }))
  } finally {
    ledger.close()
  }
  context.settings.onStep('purge:recorded')
  try {
    return { ...preview, ...(await carryOut(context)) }
  } catch (error) {
    throw unfinished(error)
  }
}

/** "Nothing was recorded" would not be true here. */
function unfinished(error: unknown): unknown {
  if (!(error instanceof GtError) || error.code === 'purge-incomplete') return error
  return new OperationError(
    `the purge is recorded and nobody is shown what it is about, but bytes of it are left: ${error.message}`,
    {
      code: 'purge-incomplete',
      hint: 'when that is mended, run gt store compact; gt also tries again by itself',
      details: { ...error.details, reason: error.code },
      cause: error,
    },
  )
}

export function previewPurge(context: UpkeepContext, { id, what }: PurgeRequest): PurgeReceipt {
  const { paths, settings } = context
  const log = new LogState(paths, settings.now)
  try {
    log.refresh()
    const own = ownIdentity(paths, settings)
    const ours = [own.clone, ...own.formerly]
    return {
      ...log.query((table) => countPurged(table, id, what)),
      blobs: 0,
      commits: 0,
      otherClones: [...listLog(paths.log).keys()].filter((clone) => !ours.includes(clone)).sort(),
      untouched: leftCopies(paths),
    }
  } finally {
    log.close()
  }
}

/** @returns how many purges were not carried out here yet, and are now */
export async function finishPurges(context: UpkeepContext): Promise<number> {
  const pending = pendingPurges(context).length
  if (pending > 0) await carryOut(context)
  return pending
}

export function pendingPurges(context: UpkeepContext): readonly Purge[] {
  const done = new Set(readNames(donePath(context.paths)))
  return knownPurges(context).filter((purge) => !done.has(keyOf(purge)))
}

/** Everything that holds bytes of what was purged, as far as it is ours. Repeatable. */
async function carryOut(context: UpkeepContext): Promise<Pick<PurgeReceipt, 'blobs' | 'commits'>> {
  return withoutExchange(context, () => withCompactionLock(context, () => carryOutAlone(context)))
}

/** Longer than most exchanges take; the purge is recorded, so it can also be carried out after one. */
const EXCHANGE_WAIT_MS = 30_000

/** What an exchange has read before, it must not put back or send behind us. Before the other lock, as an exchange does. */
async function withoutExchange<T>({ paths, settings }: UpkeepContext, work: () => Promise<T>): Promise<T> {
  const lock = join(paths.local, `sync-${ownIdentity(paths, settings).clone}.lock`)
  let isEntered = false
  try {
    return await withFileLock(lock, { timeoutMs: EXCHANGE_WAIT_MS, purpose: 'a purge' }, () => {
      isEntered = true
      return work()
    })
  } catch (error) {
    // A full disk has no place for a lock either.
    throw !isEntered && error instanceof ExternalError ? writeError(paths.root, error.cause) : error
  }
}

async function carryOutAlone(context: UpkeepContext): Promise<Pick<PurgeReceipt, 'blobs' | 'commits'>> {
  const { paths, settings } = context
  const purges = knownPurges(context)
  const named = blobsBefore(context)
  rewriteChain(context, purges)
  settings.onStep('purge:rewritten')
  dropCache(paths)
  refreshSnapshot(context)
  const blobs = dropBlobs(paths, named)
  settings.onStep('purge:cleaned')
  const identity = ownIdentity(paths, settings)
  await commitHistory({ paths, settings, identity })
  const commits = await forgetHistory(context, [identity.clone, ...identity.formerly])
  noteDone(context, purges)
  rmSync(blobsPath(paths), { force: true })
  const left = identity.formerly.filter((former) => holdsPurged(context, former))
  if (left.length > 0) throw formerLeft(left)
  return { blobs, commits }
}

/** A base gets a new number each time, so there must be a segment to cover: the one that says that we did this. */
function rewriteChain(context: UpkeepContext, purges: readonly Purge[]): void {
  const ledger = openLedger(context.paths.root, context.options)
  try {
    const data = { entities: [...new Set(purges.map(({ id }) => id))] }
    ledger.transact('gt', () => ({ ops: [{ o: 'ev', type: 'store.purged', data }] }))
  } finally {
    ledger.close()
  }
  try {
    sealNewest(compactContext(context))
  } catch (error) {
    throw writeError(context.paths.root, error)
  }
  const { stopped } = compactOwn(context, false)
  if (stopped !== undefined) throw incomplete(stopped)
}

/**
 * Whether this directory was moved or copied cannot be told from here: the original of a copy still writes that chain, and
 * then it is not ours to rewrite.
 */
function formerLeft(chains: readonly string[]): OperationError {
  return new OperationError(
    `not all is purged: ${chains.join(', ')}, written by this directory under a former id, before it was moved or copied, still ` +
      'holds it',
    {
      code: 'purge-incomplete',
      hint:
        'where the original still exists: gt sync there and here; else ' +
        `${chains.map((chain) => `gt store retire ${chain} --force`).join('; ')}; gt store compact`,
      details: { chains },
    },
  )
}

/** Before a chain that holds purged text is dropped: all purges are carried out once more, its blobs and objects included. */
export function redoPurges(context: Pick<UpkeepContext, 'paths' | 'settings'>): void {
  blobsBefore(context)
  rmSync(donePath(context.paths), { force: true })
}

function incomplete({ segment, why }: { segment: number; why: string }): OperationError {
  return new OperationError(
    `the purge is recorded, but file ${segment} of the log and those after it still hold what was written: ${why}`,
    {
      code: 'purge-incomplete',
      hint: 'mend the log (gt doctor), then run gt store compact',
      details: { segment, why },
    },
  )
}

/**
 * Names of blobs before anything is rewritten. Kept on disk until all is done: after a kill nothing else tells which of them
 * were named by what is gone.
 */
function blobsBefore({ paths, settings }: Pick<UpkeepContext, 'paths' | 'settings'>): Set<string> {
  const named = namedBlobs(paths)
  for (const name of readNames(blobsPath(paths))) named.add(name)
  const temporary = `${blobsPath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  writeAtomically(blobsPath(paths), JSON.stringify([...named]), { temporary })
  return named
}

function blobsPath({ local }: StorePaths): string {
  return join(local, 'purging')
}

function dropCache({ cache }: StorePaths): void {
  for (const name of readdirSync(cache)) rmSync(join(cache, name), { recursive: true, force: true })
}

/** What another clone's lines named may have gone with them before we were told; a writer is never this slow. */
const UNNAMED_MS = 600_000

/** Those that were named before and are not any more, however young; and what nothing names for a while. */
function dropBlobs(paths: StorePaths, before: ReadonlySet<string>): number {
  const after = namedBlobs(paths)
  const doomed = readdirSync(paths.blob).filter((name) => before.has(name) && !after.has(name))
  for (const name of doomed) rmSync(join(paths.blob, name), { force: true })
  const { files } = collectBlobs(paths, { nowMs: Date.now(), dryRun: false, minAgeMs: UNNAMED_MS })
  return doomed.length + files
}

/** What sync put aside when another machine wrote under our id, and what repairs replaced. */
function leftCopies({ local }: StorePaths): string[] {
  return readdirSync(local)
    .filter((name) => name.startsWith('replaced-') || name === 'aside')
    .map((name) => join(local, name))
}

function keyOf({ id, what, stamp }: Purge): string {
  return `${stamp} ${what} ${id}`
}

/** local/purged: what was carried out here. Without it, it is done again. */
function donePath({ local }: StorePaths): string {
  return join(local, 'purged')
}

function readNames(path: string): string[] {
  try {
    const names: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return Array.isArray(names) ? names : []
  } catch {
    return []
  }
}

function noteDone({ paths, settings }: UpkeepContext, purges: readonly Purge[]): void {
  const temporary = `${donePath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  writeAtomically(donePath(paths), JSON.stringify(purges.map(keyOf)), { temporary })
}
