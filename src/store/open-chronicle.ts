import type { Chronicle } from '../ports/chronicle.js'
import { entityHistory } from './entity-history.js'
import { storePaths } from './layout.js'
import { recordsBackwards } from './read-back.js'
import { type StoreOptions, storeSettings } from './store-options.js'

/** The log in `dir` (the `.beads` directory itself), to look back. */
export function openChronicle(dir: string, options: StoreOptions = {}): Chronicle {
  const paths = storePaths(dir)
  const { now } = storeSettings(options)
  return {
    records: (query = {}) => recordsBackwards(paths.log, query),
    history: (id) => entityHistory(paths, id, now),
  }
}
