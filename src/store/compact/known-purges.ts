import { LogState } from '../log-state.js'
import type { Purge } from '../snapshot-format.js'
import type { UpkeepContext } from './compact-store.js'

/** All that was ever purged, by any clone whose chain is here. */
export function knownPurges({
  paths,
  settings,
}: Pick<UpkeepContext, 'paths' | 'settings'>): readonly Purge[] {
  const log = new LogState(paths, settings.now)
  try {
    log.refresh()
    return log.table.purges
  } finally {
    log.close()
  }
}
