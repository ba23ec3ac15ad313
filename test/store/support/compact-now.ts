import type { Compaction } from '../../../src/ports/upkeep.js'
import { compactChain } from '../../../src/store/compact/compact-chain.js'
import { knownPurges } from '../../../src/store/compact/known-purges.js'
import { storePaths } from '../../../src/store/layout.js'
import { type StoreOptions, storeSettings } from '../../../src/store/store-options.js'

/** Compacts any chain, as the clone that owns it would. */
export function compactNow(dir: string, clone: string, options: StoreOptions = {}): Compaction {
  const settings = storeSettings({ sync: 'os', ...options })
  const paths = storePaths(dir)
  return compactChain({ paths, settings, clone, purges: knownPurges({ paths, settings }) }, false)
}
