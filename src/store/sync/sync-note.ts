import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomId } from '../../domain/ids.js'
import type { Remote, SyncState } from '../../ports/upkeep.js'
import { writeAtomically } from '../../system/atomic-write.js'
import type { StorePaths } from '../layout.js'
import { isMissing } from '../segment-bytes.js'
import type { StoreSettings } from '../store-options.js'

/**
 * local/sync.json: what was exchanged last. Only a note that saves work: the chains themselves, here and on the remote, decide,
 * and without it everything is compared again.
 */
export interface SyncNote {
  /** Another remote: nothing of the rest holds. */
  remote: string
  /** What the remote has of our own chain, as far as we know: by clone, because the id may change. */
  pushed: Record<string, PushedChain>
  /** What was taken over of other chains. */
  chains: Record<string, AppliedChain>
  /** See SyncReceipt.missing. */
  missing?: string[]
  lastOkAt?: string
  lastError?: NonNullable<SyncState['lastError']>
}

export interface PushedChain {
  commit: string
  /** Bytes of each file of the log in it. */
  files: Record<string, number>
  at: number
}

export interface AppliedChain {
  tip: string
  /** Object ids by name in log/. None: what is here is to be compared with the tip once more. */
  log: Record<string, string>
}

export function syncNotePath(paths: StorePaths): string {
  return join(paths.local, 'sync.json')
}

export function emptyNote(remote: string): SyncNote {
  return { remote, pushed: {}, chains: {} }
}

/** @returns undefined when there is none, or none that can be read */
export function readSyncNote(paths: StorePaths): SyncNote | undefined {
  let text: string
  try {
    text = readFileSync(syncNotePath(paths), 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const note = JSON.parse(text) as Partial<SyncNote> | null
    if (typeof note?.remote !== 'string') return undefined
    return { ...note, remote: note.remote, pushed: note.pushed ?? {}, chains: note.chains ?? {} }
  } catch {
    return undefined
  }
}

export function remoteKey(remote: Remote): string {
  return `${remote.refs} ${remote.url}`
}

export function writeSyncNote(paths: StorePaths, settings: StoreSettings, note: SyncNote): void {
  const temporary = `${syncNotePath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  writeAtomically(syncNotePath(paths), `${JSON.stringify(note)}\n`, {
    temporary,
    durable: settings.isDurable,
  })
}
