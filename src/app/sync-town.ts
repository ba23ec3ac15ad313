import { ConfigError, UsageError } from '../domain/errors.js'
import type { Op } from '../domain/record.js'
import { withKey } from '../domain/town-toml.js'
import type { Remote, SyncReceipt } from '../ports/upkeep.js'
import { cloneKey, homeHere } from './here.js'
import { publishRigs } from './share-rigs.js'
import type { Town } from './town.js'

export type { SyncReceipt } from '../ports/upkeep.js'

export interface TownSync {
  /** Sets the town's remote, once the exchange with it worked. */
  remote?: string
  dryRun?: boolean
  timeoutMs: number
  /** How long to wait for another sync of this town. */
  waitMs: number
  signal?: AbortSignal
}

/**
 * Exchanges beads with the other machines of the town through its remote.
 * @throws ConfigError code `no-remote`; see Upkeep.sync for the rest
 */
export async function syncTown(town: Town, request: TownSync): Promise<SyncReceipt> {
  const remote = remoteOf(town, request.remote)
  const { dryRun = false, timeoutMs, waitMs, signal } = request
  if (!dryRun) {
    publishRigs(town)
    introduce(town)
  }
  const upkeep = await town.upkeep()
  const receipt = await upkeep.sync({
    remote,
    dryRun,
    timeoutMs,
    waitMs,
    ...(signal === undefined ? {} : { signal }),
  })
  town.step('sync.exchanged')
  if (dryRun) return receipt
  if (request.remote !== undefined && request.remote !== town.config.store.remote)
    await town.editConfig((text) => withKey(text, 'store', 'remote', remote.url))
  // What came in is a long tail for the next command; it is folded in now, when nobody waits.
  if (receipt.received.length > 0) town.ledger.compactCache()
  return receipt
}

/** Tells the others what this machine is called; and that it lives, when one of them had given it up. */
function introduce(town: Town): void {
  const clone = homeHere(town)
  if (clone === undefined) return
  const [id, host] = [cloneKey(clone), town.host.machineName]
  town.ledger.transact('gt', (view) => {
    const known = view.get(id)
    if (known === undefined) return { ops: [{ o: 'new', id, k: 'clone', f: { host } }] satisfies Op[] }
    if (known.fields.host === host && known.fields.retired === undefined) return {}
    return { ops: [{ o: 'set', id, f: { host, retired: null } }] satisfies Op[] }
  })
}

function remoteOf(town: Town, given: string | undefined): Remote {
  const { remote, remoteRefs } = town.config.store
  const url = given ?? remote
  if (url === undefined) {
    throw new ConfigError('this town has no remote for its beads', {
      code: 'no-remote',
      hint: 'name an empty git repository that the machines share: gt sync --remote URL',
    })
  }
  if (url.trim() === '') throw new UsageError('--remote needs an address', { code: 'bad-remote' })
  return { url, refs: remoteRefs }
}
