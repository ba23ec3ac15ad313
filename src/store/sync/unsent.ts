import { readIdentity } from '../clone-identity.js'
import type { StorePaths } from '../layout.js'
import { chainFiles, waitingForMs } from '../uncommitted.js'
import { readSyncNote } from './sync-note.js'

/** Milliseconds since the oldest own record that the remote lacks, as far as is known; undefined: none. */
export function unsentForMs(paths: StorePaths, nowMs: number): number | undefined {
  const clone = readIdentity(paths.clone)?.clone
  if (clone === undefined) return undefined
  const pushed = readSyncNote(paths)?.pushed[clone] ?? { files: {}, at: 0 }
  return waitingForMs({ paths, names: chainFiles(paths, clone), note: pushed, nowMs })
}
