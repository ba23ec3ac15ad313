import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError, NotFoundError } from '../../domain/errors.js'
import type { AdoptedChain, CloneInfo, DropRequest } from '../../ports/upkeep.js'
import { syncDirectory } from '../../system/atomic-write.js'
import { withFileLock } from '../../system/file-lock.js'
import { ownIdentity } from '../clone-identity.js'
import { fieldValue } from '../entity-state.js'
import { runGit } from '../git-process.js'
import { FORMAT, groupLog, LOG_FILE, listLog, noFiles } from '../layout.js'
import { LogState } from '../log-state.js'
import { chainFiles } from '../uncommitted.js'
import { adoptRecords } from './adopt-records.js'
import { heldFiles, type Place } from './apply-chain.js'
import { readChainTree, readObjects } from './chain-tree.js'
import { countedLines } from './counted-lines.js'
import { fetchChains, pushRef, type RemoteCall, remoteRef, trackedTips } from './remote-git.js'
import { scanLog } from './scan-log.js'
import type { SyncRun } from './sync-context.js'
import { readSyncNote, writeSyncNote } from './sync-note.js'

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
export function adoptChain(place: Place, clone: string): AdoptedChain {
  const { clone: own } = ownIdentity(place.paths, place.settings)
  const held = heldFiles(place, clone)
  if (clone === own) {
    throw new ConflictError(`${clone} is this machine`, { code: 'own-clone', details: { clone } })
  }
  if (held.size === 0) {
    throw new NotFoundError(`there is no chain of ${clone} here`, {
      code: 'clone-not-found',
      hint: 'gt store clones shows them',
      details: { clone },
    })
  }
  checkWhole(clone, held)
  const files = Object.fromEntries([...held].map(([name, read]) => [name, read().length]))
  const lines = countedLines(place, clone)
  adoptRecords(
    place,
    own,
    clone,
    lines.map(({ record }) => record),
  )
  return { records: lines.length, files }
}

/** What a damaged copy lacks would be lost with the chain. @throws ConflictError code `chain-damaged` */
function checkWhole(clone: string, held: ReadonlyMap<string, () => Buffer>): void {
  const files = groupLog(held.keys()).get(clone) ?? noFiles()
  const base = files.bases.at(-1) ?? 0
  const segments = files.segments.filter((number) => number > base)
  const gap = segments.find((number, i) => number !== base + 1 + i)
  if (gap !== undefined) throw damaged(clone, `a file before number ${gap} is missing`)
  for (const [name, read] of held) {
    const { bad, format } = scanLog(read())
    if (bad > 0)
      throw damaged(clone, `${name} holds ${bad === 1 ? 'a damaged line' : `${bad} damaged lines`}`)
    if (format > FORMAT) throw damaged(clone, `${name} was written by a newer gt`)
  }
}

function damaged(clone: string, why: string): ConflictError {
  return new ConflictError(`our copy of ${clone} is not whole, and nothing of it is deleted: ${why}`, {
    code: 'chain-damaged',
    hint: 'gt doctor --fix, then try again',
    details: { clone, why },
  })
}

/** See Upkeep.dropChain. No exchange runs meanwhile: what it brought would be deleted unseen. */
export async function dropChain(place: Place, request: DropRequest): Promise<'dropped' | 'alive'> {
  const { clone: own } = ownIdentity(place.paths, place.settings)
  const lock = join(place.paths.local, `sync-${own}.lock`)
  return withFileLock(lock, { timeoutMs: request.timeoutMs, purpose: 'gt store retire' }, () =>
    dropLocked(place, request),
  )
}

async function dropLocked(place: Place, request: DropRequest): Promise<'dropped' | 'alive'> {
  const { clone, remote, adopted } = request
  const note = readSyncNote(place.paths)
  const call: RemoteCall = {
    repository: place.paths.git,
    remote: remote ?? { url: '', refs: 'branches' },
    env: place.settings.env,
    now: place.settings.now,
    deadlineAtMs: place.settings.now() + request.timeoutMs,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }
  if (remote !== undefined) {
    await fetchChains(call)
    const tip = (await trackedTips(call)).get(clone)
    if (tip !== undefined) {
      // What it sent since it was taken over is taken over by nobody.
      if (!(await isAdopted(place, request, tip))) return 'alive'
      await archive(call, clone, tip)
      const push = { ref: remoteRef(remote, clone), value: undefined, expected: tip }
      if ((await pushRef(call, push)) === 'stale') return 'alive'
      place.settings.onStep('retire:branch-deleted')
    }
  }
  if (!hasSizes(heldFiles(place, clone), adopted)) return 'alive'
  deleteChain(place, clone)
  if (note !== undefined) {
    delete note.chains[clone]
    writeSyncNote(place.paths, place.settings, note)
  }
  return 'dropped'
}

function hasSizes(held: ReadonlyMap<string, () => Buffer>, sizes: AdoptedChain['files']): boolean {
  if (held.size !== Object.keys(sizes).length) return false
  return [...held].every(([name, read]) => read().length === sizes[name])
}

/** Whether the branch holds the very bytes that were taken over. @throws ConflictError codes `chain-refused`, `chain-damaged` */
async function isAdopted({ paths, settings }: Place, request: DropRequest, tip: string): Promise<boolean> {
  const { clone, adopted } = request
  const git = { repository: paths.git, env: settings.env }
  const reading = await readChainTree(git, clone, tip)
  if (reading.kind === 'refused') {
    throw new ConflictError(`what the remote holds of ${clone} cannot be taken over: ${reading.why}`, {
      code: 'chain-refused',
      hint: `mend its branch on the remote (beads/${clone}), then retire it`,
      details: { clone, why: reading.why },
    })
  }
  const files = [...reading.tree.log]
  const isSame =
    files.length === Object.keys(adopted).length &&
    files.every(([name, { sizeBytes }]) => adopted[name] === sizeBytes)
  if (!isSame) return false
  const contents = await readObjects(
    git,
    files.map(([, { oid }]) => oid),
  )
  const held = heldFiles({ paths, settings }, clone)
  for (const [i, [name]] of files.entries()) {
    const ours = held.get(name)?.()
    if (ours === undefined || contents[i]?.equals(ours) !== true)
      throw damaged(clone, `${name} is not what its branch holds`)
  }
  return true
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
    if (tip !== undefined) await archive(run.call, clone, tip)
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
