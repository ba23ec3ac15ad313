import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { SyncReceipt } from '../../ports/upkeep.js'
import type { CloneIdentity } from '../clone-identity.js'
import { isMissing } from '../segment-bytes.js'
import type { Place } from './apply-chain.js'
import type { RemoteCall } from './remote-git.js'
import type { SyncNote } from './sync-note.js'

/** One run of sync: where, with whom, what is known, and what it has done so far. */
export interface SyncRun extends Place {
  call: RemoteCall
  note: SyncNote
  /** Changes when our id turns out to be in use elsewhere. */
  identity: CloneIdentity
  receipt: SyncReceipt
  dryRun: boolean
  /** Own records were written after the own chain went out. */
  hasMoreToSend: boolean
  /** Writes the note down. */
  save(): void
}

/** Makes `names` in log/ survive a power cut: what others get from us must still be here afterwards. */
export function flushFiles({ paths, settings }: Place, names: readonly string[]): void {
  if (!settings.isDurable) return
  for (const name of names) {
    let fd: number
    try {
      fd = openSync(join(paths.log, name), 'r')
    } catch (error) {
      // Compacted meanwhile.
      if (isMissing(error)) continue
      throw error
    }
    try {
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }
}
