import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { randomId } from '../../domain/ids.js'
import type { LeaseRequest } from '../../ports/upkeep.js'
import { writeAtomically } from '../../system/atomic-write.js'
import { isAlive } from '../../system/process-table.js'
import { currentPlace, ownIdentity } from '../clone-identity.js'
import { LogState } from '../log-state.js'
import type { Place } from './apply-chain.js'
import type { SyncRun } from './sync-context.js'
import { remoteKey } from './sync-note.js'

/** Who asks for a lease, and where its process can be asked after. */
export interface LeaseHolder {
  clone: string
  /** Fingerprint of the machine, or `none`. */
  machine: string
  host: string
  /** `pid:startTime` of the process that claims. */
  holder: string
}

/**
 * local/leases/<commit>: a lease that was asked for from this directory, or from the one that it is a copy of. Written before it
 * is asked, so that one whose process was killed is given back.
 */
export interface LeaseNote extends LeaseHolder {
  key: string
  generation: number
  /** What the ref points to when we have it. */
  commit: string
  remote: string
}

export function leaseHolder({ paths, settings }: Place, holder: string): LeaseHolder {
  const { clone } = ownIdentity(paths, settings)
  return { clone, machine: currentPlace(paths.root).machine, host: hostname(), holder }
}

/** Whether a process of `holder` can be asked after from here. */
export function isOfThisHost(holder: LeaseHolder, here: LeaseHolder): boolean {
  return holder.machine === here.machine && holder.host === here.host
}

export function isHolderAlive(holder: string): boolean {
  const [pid = '', startTime = ''] = holder.split(':')
  return isAlive(Number(pid), startTime)
}

function notePath({ paths }: Place, commit: string): string {
  return join(paths.local, 'leases', commit)
}

export function noteLease(
  place: Place,
  { key, generation, remote }: LeaseRequest,
  lease: LeaseHolder & { commit: string },
): void {
  const { paths, settings } = place
  mkdirSync(join(paths.local, 'leases'), { recursive: true, mode: 0o700 })
  const note: LeaseNote = { ...lease, key, generation, remote: remoteKey(remote) }
  writeAtomically(notePath(place, lease.commit), JSON.stringify(note), {
    temporary: join(paths.local, `incoming-${randomId(settings.random.bytes(10), 10)}.tmp`),
    durable: settings.isDurable,
  })
}

export function forgetLease(place: Place, commit: string): void {
  rmSync(notePath(place, commit), { force: true })
}

/**
 * Leases that are over: the claim they were for is recorded (and with the exchange that follows, known to all), or its
 * process is gone without having recorded one. Looked up before own records go out; given back after. Notes that came along
 * with a copied directory speak of somebody else's lease: only a process of this machine that is gone ends those.
 */
export function endedLeases(run: SyncRun): LeaseNote[] {
  const { paths, settings, call } = run
  const notes = readNotes(paths.local).filter(({ remote }) => remote === remoteKey(call.remote))
  if (notes.length === 0) return []
  const here = leaseHolder(run, '')
  const log = new LogState(paths, settings.now)
  log.refresh()
  const ended = notes.filter((note) => {
    const isOwn = note.clone === here.clone
    if (isOwn && (log.table.peek(note.key)?.state.gen ?? 0) >= note.generation) return true
    return (isOwn || isOfThisHost(note, here)) && !isHolderAlive(note.holder)
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
