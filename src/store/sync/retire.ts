import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError, NotFoundError, OperationError, TimeoutError } from '../../domain/errors.js'
import type { AdoptedChain, CloneInfo, DropRequest } from '../../ports/upkeep.js'
import { syncDirectory } from '../../system/atomic-write.js'
import { withFileLock } from '../../system/file-lock.js'
import { ownIdentity } from '../clone-identity.js'
import { holdsPurged } from '../compact/holds-purged.js'
import { fieldValue } from '../entity-state.js'
import { branchOf, runGit } from '../git-process.js'
import { groupLog, LOG_FILE, listLog, noFiles } from '../layout.js'
import { LogState } from '../log-state.js'
import { NEWLINE } from '../record-line.js'
import { chainFiles, isReplaced } from '../uncommitted.js'
import { adoptRecords } from './adopt-records.js'
import { heldFiles, type Place } from './apply-chain.js'
import { isSame, objectsAt, objectsHere, proveWhole } from './chain-proof.js'
import { countedLines } from './counted-lines.js'
import { fetchChains, pushRef, type RemoteCall, remoteRef, TRACKING, trackedTips } from './remote-git.js'
import { scanLog } from './scan-log.js'
import type { SyncRun } from './sync-context.js'
import { readSyncNote, type SyncNote, writeSyncNote } from './sync-note.js'

/** See Upkeep.clones. */
export function listClones(place: Place): CloneInfo[] {
  const { clone: own, formerly } = ownIdentity(place.paths, place.settings)
  return [...listLog(place.paths.log).keys()].sort().map((clone) => {
    const held = heldFiles(place, clone)
    let bytes = 0
    let last = ''
    for (const read of held.values()) {
      const content = read()
      bytes += content.length
      scanLog(content, ({ t }) => {
        if (t > last) last = t
      })
    }
    return {
      clone,
      kind: clone === own ? 'own' : formerly.includes(clone) ? 'former' : 'other',
      files: held.size,
      bytes,
      ...(last === '' ? {} : { lastRecordAt: last.slice(0, 24) }),
    }
  })
}

/** See Upkeep.adopt. */
export async function adoptChain(place: Place, clone: string): Promise<AdoptedChain> {
  const { clone: own } = ownIdentity(place.paths, place.settings)
  if (clone === own) {
    throw new ConflictError(`${clone} is this machine`, { code: 'own-clone', details: { clone } })
  }
  return withoutSync(place, own, LOCK_WAIT_MS, async () => {
    const held = heldFiles(place, clone)
    if (held.size === 0) {
      throw new NotFoundError(`there is no chain of ${clone} here`, {
        code: 'clone-not-found',
        hint: 'gt store clones shows them',
        details: { clone },
      })
    }
    const objects = await proveWhole(place, clone)
    const files = Object.fromEntries([...held].map(([name, read]) => [name, read().length]))
    const lines = countedLines(place, clone)
    adoptRecords(
      place,
      own,
      clone,
      lines.map(({ record }) => record),
    )
    return { records: lines.length, files, objects, own: wholeSizes(place, own) }
  })
}

/** Up to the last whole line: another writer may be in the middle of one. */
function wholeSizes(place: Place, clone: string): Record<string, number> {
  const sizes = [...heldFiles(place, clone)].map(([name, read]) => [name, read().lastIndexOf(NEWLINE) + 1])
  return Object.fromEntries(sizes)
}

const LOCK_WAIT_MS = 60_000

/** A sync would change the copies of other chains meanwhile. */
async function withoutSync<T>(
  { paths }: Place,
  own: string,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  let isEntered = false
  try {
    return await withFileLock(join(paths.local, `sync-${own}.lock`), { timeoutMs, purpose: 'retire' }, () => {
      isEntered = true
      return work()
    })
  } catch (error) {
    if (isEntered || !(error instanceof TimeoutError)) throw error
    throw new ConflictError(`the beads are being synced: ${error.message}`, {
      code: 'sync-busy',
      hint: 'wait a moment',
      details: error.details,
    })
  }
}

/** See Upkeep.dropChain. */
export async function dropChain(place: Place, request: DropRequest): Promise<'dropped' | 'alive'> {
  const { clone: own } = ownIdentity(place.paths, place.settings)
  return withoutSync(place, own, request.timeoutMs, () => dropLocked(place, own, request))
}

async function dropLocked(place: Place, own: string, request: DropRequest): Promise<'dropped' | 'alive'> {
  const { clone, remote, adopted } = request
  const note = readSyncNote(place.paths)
  const call = remoteCall(place, request)
  let tip: string | undefined
  if (remote !== undefined) {
    checkSent(note, own, adopted)
    await fetchChains(call)
    tip = (await trackedTips(call)).get(clone)
  }
  // What it sent since it was taken over, or what came in of it, is taken over by nobody.
  const held = [...heldFiles(place, clone).keys()]
  // The sync that sent what was taken over has followed already when the branch was gone before.
  const isGone = held.length === 0 && tip === undefined
  if (!isGone && !isSame(adopted.objects, objectsHere(place, clone, held))) return 'alive'
  if (tip !== undefined && !isSame(adopted.objects, (await objectsAt(place, clone, tip)) ?? {}))
    return 'alive'
  const isPurged = holdsPurged(place, clone)
  const last = tip ?? (await localTip(call, clone))
  if (last !== undefined && !isPurged) await archive(call, clone, last)
  if (tip !== undefined) {
    const push = { ref: remoteRef(call.remote, clone), value: undefined, expected: tip }
    if ((await pushRef(call, push)) === 'stale') return 'alive'
    place.settings.onStep('retire:branch-deleted')
  }
  if (isPurged) (await import('../compact/purge.js')).redoPurges(place)
  deleteChain(place, clone)
  await forgetBranches(call, own, clone)
  if (note !== undefined) {
    delete note.chains[clone]
    delete note.pushed[clone]
    writeSyncNote(place.paths, place.settings, note)
  }
  return 'dropped'
}

function remoteCall({ paths, settings }: Place, request: DropRequest): RemoteCall {
  return {
    repository: paths.git,
    remote: request.remote ?? { url: '', refs: 'branches' },
    env: settings.env,
    now: settings.now,
    deadlineAtMs: settings.now() + request.timeoutMs,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }
}

/** Others drop their copies of it when its branch is gone: by then the remote must have what was taken over. */
function checkSent(note: SyncNote | undefined, own: string, adopted: AdoptedChain): void {
  const sent = note?.pushed[own]?.files ?? {}
  const names = Object.keys(sent)
  const lacking = Object.entries(adopted.own)
    .filter(([name, size]) => (sent[name] ?? 0) < size && !isReplaced(name, names))
    .map(([name]) => name)
  if (lacking.length === 0) return
  throw new OperationError(`what was taken over is not on the remote yet: ${lacking.join(', ')}`, {
    code: 'adopted-not-sent',
    hint: 'gt sync says why; then again',
    details: { files: lacking },
  })
}

/** Of an id that we wrote under before. */
async function localTip({ repository, env }: RemoteCall, clone: string): Promise<string | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', branchOf(clone)]
  const { exitCode, stdout } = await runGit({ repository, env, args })
  return exitCode === 0 ? stdout.trim() : undefined
}

/** What history still knew of a chain, doctor would put back. */
async function forgetBranches({ repository, env }: RemoteCall, own: string, clone: string): Promise<void> {
  const call = { repository, env }
  // HEAD may name the branch of a former id.
  await runGit({ ...call, args: ['symbolic-ref', 'HEAD', branchOf(own)] })
  for (const ref of [branchOf(clone), `${TRACKING}${clone}`]) {
    await runGit({ ...call, args: ['update-ref', '-d', ref] })
  }
}

/** The way back: `git update-ref refs/heads/beads/<clone> refs/archive/retired/<clone>` and a push bring it all again. */
async function archive({ repository, env }: RemoteCall, clone: string, tip: string): Promise<void> {
  await runGit({ repository, env, args: ['update-ref', `refs/archive/retired/${clone}`, tip] })
}

/** Newest first: what is left at any moment is a chain, in which what was void stays so. */
function deleteChain({ paths, settings }: Place, clone: string): void {
  for (const name of chainFiles(paths, clone).reverse()) {
    rmSync(join(paths.log, name), { force: true })
    settings.onStep('retire:deleted')
  }
  for (const name of readdirSync(paths.log)) {
    if (LOG_FILE.exec(name)?.[1] === clone) rmSync(join(paths.log, name), { force: true })
  }
  if (settings.isDurable) syncDirectory(paths.log)
}

/**
 * Follows others: a chain whose branch is gone goes here, too, when somebody recorded that all we have of it was taken over.
 * A branch that just vanished takes nothing away.
 */
export async function followRetired(run: SyncRun, tips: ReadonlyMap<string, string>): Promise<void> {
  const { paths, settings, identity, note } = run
  const own = [identity.clone, ...identity.formerly]
  const gone = [...listLog(paths.log).keys()].filter((clone) => !tips.has(clone) && !own.includes(clone))
  if (gone.length === 0) return
  const log = new LogState(paths, settings.now)
  log.refresh()
  const retired = gone.filter((clone) => {
    const state = log.table.peek(`clone:${clone}`)?.state
    return state !== undefined && isCovered(run, clone, fieldValue(state, 'retired'))
  })
  log.close()
  for (const clone of retired) {
    const tip = note.chains[clone]?.tip
    if (tip !== undefined && !holdsPurged(run, clone)) await archive(run.call, clone, tip)
    deleteChain(run, clone)
    delete note.chains[clone]
    run.save()
    run.receipt.retired.push(clone)
  }
}

/** @param retired - what its new owner wrote down: bytes of each file that it took over */
function isCovered(run: SyncRun, clone: string, retired: unknown): boolean {
  if (typeof retired !== 'object' || retired === null || !('files' in retired)) return false
  const files = retired.files as Readonly<Record<string, unknown>>
  const base = (groupLog(Object.keys(files)).get(clone) ?? noFiles()).bases.at(-1) ?? 0
  return [...heldFiles(run, clone)].every(([name, read]) => {
    const size = files[name]
    if (typeof size === 'number') return read().length <= size
    return Number(LOG_FILE.exec(name)?.[2] ?? Number.POSITIVE_INFINITY) <= base
  })
}
