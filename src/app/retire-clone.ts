import { ConflictError, NotFoundError } from '../domain/errors.js'
import { nearest, printable } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import type { CloneInfo, SyncReceipt } from '../ports/upkeep.js'
import { cloneKey, machineName } from './here.js'
import { syncTown, type TownSync } from './sync-town.js'
import type { Town } from './town.js'

export interface RetireRequest {
  clone: string
  /** Although it wrote lately. */
  force: boolean
  dryRun: boolean
  timeoutMs: number
  signal?: AbortSignal
}

export interface RetiredClone {
  clone: string
  name: string
  records: number
  lastRecordAt?: string
  /** Beads that its agents still hold. */
  beads: string[]
}

/** A machine that wrote this lately is not dead. */
const QUIET_MS = 24 * 3_600_000

/**
 * Takes the records of a machine that is gone for good over into our own chain, says so in the store, and deletes its branch;
 * the other machines then drop their copies. When it comes back after all, it sends its branch again, and nothing counts
 * twice. Safe to repeat after a kill.
 *
 * @throws NotFoundError code `clone-not-found`; ConflictError codes `own-clone`, `clone-alive`, `chain-refused`; as syncTown,
 *   Upkeep.adopt and Upkeep.dropChain
 */
export async function retireClone(town: Town, request: RetireRequest): Promise<RetiredClone> {
  const { timeoutMs, signal } = request
  const options = { timeoutMs, waitMs: timeoutMs, ...(signal === undefined ? {} : { signal }) }
  const hasRemote = town.config.store.remote !== undefined
  // First, so that all it ever sent is here.
  if (hasRemote && !request.dryRun) checkTakenIn(await syncTown(town, options), request.clone)
  const upkeep = await town.upkeep()
  const info = findClone(await upkeep.clones(), request.clone)
  checkGone(town, info, request.force)
  const retired = {
    clone: info.clone,
    name: machineName(town.ledger.read(), info.clone),
    beads: beadsHeldBy(town, info.clone),
    ...(info.lastRecordAt === undefined ? {} : { lastRecordAt: info.lastRecordAt }),
  }
  if (request.dryRun) return { ...retired, records: 0 }
  const adopted = await upkeep.adopt(info.clone)
  town.step('retire.adopted')
  mark(town, info.clone, { files: adopted.files, at: new Date(town.clock.now()).toISOString() })
  town.step('retire.marked')
  if (hasRemote) await sendTakenOver(town, options, info.clone)
  const { remote, remoteRefs } = town.config.store
  const dropped = await upkeep.dropChain({
    clone: info.clone,
    adopted,
    timeoutMs,
    ...(remote === undefined ? {} : { remote: { url: remote, refs: remoteRefs } }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (dropped === 'alive') {
    mark(town, info.clone, null)
    throw alive(info, 'it sent something just now')
  }
  return { ...retired, records: adopted.records }
}

async function sendTakenOver(town: Town, options: TownSync, clone: string): Promise<void> {
  try {
    const receipt = await syncTown(town, options)
    checkTakenIn(receipt, clone)
    checkSent(receipt)
  } catch (error) {
    if (error instanceof ConflictError && error.code === 'chain-refused') mark(town, clone, null)
    throw error
  }
}

/** What the remote has of it would be lost with its branch. */
function checkTakenIn({ refused }: SyncReceipt, clone: string): void {
  const refusal = refused.find((one) => one.clone === clone)
  if (refusal === undefined) return
  throw new ConflictError(`what ${clone} sent last was not taken in here: ${refusal.why}`, {
    code: 'chain-refused',
    hint:
      refusal.code === 'newer-format'
        ? 'update gt here, then again'
        : `gt sync on that machine; when it is gone: keep a copy of its branch, delete it on the remote, then again: ` +
          'what is here of it is taken over',
    details: { ...refusal },
  })
}

/** What we took over must be safe on the remote before the original goes. */
function checkSent({ withheld }: SyncReceipt): void {
  if (withheld.length === 0) return
  throw new ConflictError(`our own chain could not be sent: ${withheld.join(', ')}`, {
    code: 'own-chain-damaged',
    hint: 'gt doctor --fix, then try again',
    details: { withheld },
  })
}

function findClone(clones: readonly CloneInfo[], typed: string): CloneInfo {
  const found = clones.find(({ clone }) => clone === typed)
  if (found !== undefined) return found
  const near = nearest(
    typed,
    clones.map(({ clone }) => clone),
  )
  throw new NotFoundError(`there is no machine "${printable(typed)}"`, {
    code: 'clone-not-found',
    hint: near === undefined ? 'gt store clones shows them' : `did you mean ${near}?`,
  })
}

function checkGone(town: Town, info: CloneInfo, force: boolean): void {
  // A former id is like another machine's: nothing is written under it here any more.
  if (info.kind === 'own') {
    throw new ConflictError(`${info.clone} is this machine`, {
      code: 'own-clone',
      hint: 'a machine is retired from another one',
    })
  }
  if (info.kind === 'former' && !force)
    throw alive(info, 'this directory had that id once, and another one may have it still')
  const age = town.clock.now() - Date.parse(info.lastRecordAt ?? '1970-01-01')
  if (!force && age < QUIET_MS) throw alive(info, `its last record is of ${info.lastRecordAt}`)
}

function alive(info: CloneInfo, why: string): ConflictError {
  return new ConflictError(`${info.clone} does not look dead: ${why}`, {
    code: 'clone-alive',
    hint: `when that machine is gone for good all the same: gt store retire ${info.clone} --force`,
    details: { ...info },
  })
}

function beadsHeldBy(town: Town, clone: string): string[] {
  return town.ledger
    .read()
    .list({ kind: 'bead', status: ['hooked', 'in_review'] })
    .filter((entity) => entity.fields.home === clone)
    .map(({ shownId }) => shownId)
}

function mark(
  town: Town,
  clone: string,
  retired: { files: Record<string, number>; at: string } | null,
): void {
  const id = cloneKey(clone)
  town.ledger.transact(town.actor, (view): { ops: Op[] } => ({
    ops: [
      ...(view.get(id) === undefined ? [{ o: 'new', id, k: 'clone', f: {} } satisfies Op] : []),
      { o: 'set', id, f: { retired } },
      { o: 'ev', type: retired === null ? 'clone.alive' : 'clone.retired', data: { clone } },
    ],
  }))
}
