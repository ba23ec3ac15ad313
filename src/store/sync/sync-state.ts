import type { SyncState } from '../../ports/upkeep.js'
import type { StorePaths } from '../layout.js'
import type { StoreSettings } from '../store-options.js'
import { withoutSecrets } from './remote-failure.js'
import { readSyncNote } from './sync-note.js'
import { unsentForMs } from './unsent.js'

/** See Upkeep.syncState. */
export function syncState(paths: StorePaths, settings: StoreSettings): SyncState | undefined {
  const note = readSyncNote(paths)
  if (note === undefined) return undefined
  const unsent = unsentForMs(paths, settings.now())
  return {
    remote: withoutSecrets(note.remote.slice(note.remote.indexOf(' ') + 1)),
    ...(note.lastOkAt === undefined ? {} : { lastOkAt: note.lastOkAt }),
    ...(note.lastError === undefined ? {} : { lastError: note.lastError }),
    ...(note.missing === undefined || note.missing.length === 0 ? {} : { missing: note.missing }),
    ...(unsent === undefined ? {} : { unsentForMs: unsent }),
  }
}
