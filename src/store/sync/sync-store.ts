import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError, ExternalError, GtError, OperationError, TimeoutError } from '../../domain/errors.js'
import type { SyncReceipt, SyncRequest } from '../../ports/upkeep.js'
import { withFileLock } from '../../system/file-lock.js'
import { ownIdentity } from '../clone-identity.js'
import { branchOf, initRepository } from '../git-process.js'
import { FORMAT, type StorePaths } from '../layout.js'
import { errorCode, isMissing } from '../segment-bytes.js'
import { newerFormat, noStore } from '../store-errors.js'
import type { StoreSettings } from '../store-options.js'
import { lostFiles } from '../uncommitted.js'
import { removeLeftovers } from './apply-chain.js'
import { giveBackLeases } from './lease.js'
import { endedLeases } from './lease-note.js'
import { receiveChains } from './receive-chains.js'
import { withoutSecrets } from './remote-failure.js'
import { checkRemoteUrl, fetchChains } from './remote-git.js'
import { countNew, sendOwn, sizesHere } from './send-own.js'
import type { SyncRun } from './sync-context.js'
import { emptyNote, readSyncNote, remoteKey, writeSyncNote } from './sync-note.js'
import { forgetIntent } from './take-new-id.js'

/** See Upkeep.sync. */
export async function syncStore(
  paths: StorePaths,
  settings: StoreSettings,
  request: SyncRequest,
): Promise<SyncReceipt> {
  checkRemoteUrl(request.remote.url)
  if (!existsSync(paths.log)) throw noStore(paths.root)
  const identity = ownIdentity(paths, settings)
  if (identity.format > FORMAT) throw newerFormat(paths.root, identity.format)
  // Named after the clone: a lock that came along with a copied directory is nobody's here.
  const lock = join(paths.local, `sync-${identity.clone}.lock`)
  removeForeignLock(lock, settings.now())
  let isEntered = false
  try {
    return await withFileLock(lock, { timeoutMs: request.waitMs, purpose: 'gt sync' }, () => {
      isEntered = true
      return exchange(paths, settings, request)
    })
  } catch (error) {
    if (isEntered || !(error instanceof TimeoutError)) throw error
    throw new ConflictError(`the beads are being synced already: ${error.message}`, {
      code: 'sync-busy',
      hint: 'wait a moment; gt status says when the last sync was',
      details: error.details,
    })
  }
}

/** Longer than any sync: what is older was left by a container that had another host name. */
const OLD_LOCK_MS = 3_600_000

/** Its process cannot be asked from under another host name. Nothing is at risk: refs move by expected value. */
function removeForeignLock(path: string, nowMs: number): void {
  const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  if (since !== undefined && Math.abs(nowMs - since) > OLD_LOCK_MS) rmSync(path, { force: true })
}

async function exchange(
  paths: StorePaths,
  settings: StoreSettings,
  request: SyncRequest,
): Promise<SyncReceipt> {
  const run = startRun(paths, settings, request)
  settings.onStep('sync:locked')
  try {
    if (!existsSync(join(paths.git, 'HEAD')))
      await initRepository(paths.git, branchOf(run.identity.clone), settings.env)
    removeLeftovers(run)
    forgetIntent(run)
    const leases = run.dryRun ? [] : endedLeases(run)
    if (run.dryRun) await lookOnly(run)
    else await sendOwn(run)
    await receiveChains(run)
    if (run.hasMoreToSend) await sendOwn(run)
    // Not before the claims they were for are out.
    if (run.receipt.withheld.length === 0) await giveBackLeases(run, leases)
    if (!run.dryRun) noteOutcome(run)
    settings.onStep('sync:done')
    return run.receipt
  } catch (error) {
    const failure = asFailure(paths, error)
    if (!run.dryRun && request.signal?.aborted !== true) noteFailure(run, failure)
    throw failure
  }
}

function startRun(paths: StorePaths, settings: StoreSettings, request: SyncRequest): SyncRun {
  const { remote, dryRun = false, timeoutMs, signal } = request
  const identity = ownIdentity(paths, settings)
  const before = readSyncNote(paths)
  const note = before?.remote === remoteKey(remote) ? before : emptyNote(remoteKey(remote))
  const { now, env } = settings
  return {
    paths,
    settings,
    identity,
    note,
    dryRun,
    hasMoreToSend: false,
    call: {
      repository: paths.git,
      remote,
      env,
      now,
      deadlineAtMs: now() + timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    },
    receipt: {
      remote: withoutSecrets(remote.url),
      clone: identity.clone,
      dryRun,
      sent: { records: 0, bytes: 0 },
      received: [],
      withheld: [],
      retired: [],
      missing: [],
      refused: [],
      damagedLines: 0,
    },
    save: () => writeSyncNote(paths, settings, note),
  }
}

/** A fetch changes only the copy in .git; what would go out and come in can be told from it. */
async function lookOnly(run: SyncRun): Promise<void> {
  const { clone } = run.identity
  const withheld = lostFiles(run.paths, clone)
  const sizes = Object.entries(sizesHere(run, clone)).filter(([name]) => !withheld.includes(name))
  const known = run.note.pushed[clone]?.files ?? {}
  run.receipt.withheld = withheld
  run.receipt.sent = countNew(run, { sizes: Object.fromEntries(sizes), known })
  await fetchChains(run.call)
}

function noteOutcome(run: SyncRun): void {
  const { withheld, missing } = run.receipt
  run.note.missing = missing
  if (withheld.length > 0) noteFailure(run, ownChainDamaged(withheld))
  else noteSuccess(run)
}

function ownChainDamaged(files: readonly string[]): OperationError {
  return new OperationError(`not sent: ${files.join(', ')}, changed since it was committed`, {
    code: 'own-chain-damaged',
    hint: 'gt doctor --fix',
    details: { files },
  })
}

function noteSuccess(run: SyncRun): void {
  run.note.lastOkAt = new Date(run.settings.now()).toISOString()
  delete run.note.lastError
  run.save()
}

/** Best effort: the failure itself is what must be told. */
function noteFailure(run: SyncRun, error: unknown): void {
  const at = new Date(run.settings.now()).toISOString()
  const code = error instanceof GtError ? error.code : 'unexpected'
  // A mistyped address must not cost what is known of the right one.
  const before = readSyncNote(run.paths)
  if (before !== undefined && before.remote !== run.note.remote) return
  run.note.lastError = { at, code, message: error instanceof Error ? error.message : String(error) }
  try {
    run.save()
  } catch {
    // The disk that is full, as a rule.
  }
}

function asFailure(paths: StorePaths, error: unknown): unknown {
  const code = errorCode(error) ?? ''
  if (error instanceof GtError) return error
  if (isMissing(error)) return changedMeanwhile(paths, error)
  if (!FULL.includes(code)) return error
  return new ExternalError(`disk full: not everything was taken into ${paths.root}; what was is whole`, {
    code: 'disk-full',
    hint: 'free some space and run gt sync again',
    details: { path: paths.root, errno: code },
    cause: error,
  })
}

/** Compaction may delete what was listed a moment ago. */
function changedMeanwhile({ root }: StorePaths, cause: unknown): ConflictError {
  return new ConflictError(`files of ${root} changed while they were exchanged; nothing is lost`, {
    code: 'sync-contention',
    hint: 'run gt sync again',
    cause,
  })
}

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']
