import { statSync } from 'node:fs'
import { join } from 'node:path'
import { randomId } from '../domain/ids.js'
import { writeAtomically } from '../system/atomic-write.js'
import type { StorePaths } from './layout.js'
import type { StoreSettings } from './store-options.js'

/**
 * The log only grows, so a reader looks at tails and never again at what it has passed. Where something behind the tails was
 * replaced (a repair, another machine's chain brought anew), a new epoch tells readers and snapshots to fold from the start.
 */
function epochPath(paths: StorePaths): string {
  return join(paths.local, 'epoch')
}

/** Differs after each `beginEpoch`; '' before the first. */
export function readEpoch(paths: StorePaths): string {
  const stat = statSync(epochPath(paths), { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino}:${stat.mtimeMs}`
}

/** To be called after the files are in place. Every open reader folds again at its next look. */
export function beginEpoch(paths: StorePaths, settings: Pick<StoreSettings, 'random' | 'now'>): void {
  const temporary = `${epochPath(paths)}.${randomId(settings.random.bytes(8), 8)}.tmp`
  writeAtomically(epochPath(paths), `${new Date(settings.now()).toISOString()}\n`, { temporary })
}
