import { existsSync } from 'node:fs'
import type { Mended } from '../../domain/finding.js'
import { ownIdentity } from '../clone-identity.js'
import { commitHistory } from '../commit-history.js'
import { openLedger } from '../open-ledger.js'
import type { StoreOptions } from '../store-options.js'
import { openAside } from './aside.js'
import type { Repository } from './committed-files.js'
import { finishRepair } from './repair-log.js'

/**
 * Makes what is derived from the log again: the cache, and the history where it cannot be used. The log itself is not touched.
 */
export async function rebuildStore(at: Repository, options: StoreOptions): Promise<Mended[]> {
  const { paths, settings } = at
  const context = { ...at, identity: ownIdentity(paths, settings) }
  const aside = openAside(context)
  const undo = existsSync(paths.snapshot) ? { undo: `${aside.name}/cache/snap` } : {}
  finishRepair(context, aside)
  const ledger = openLedger(paths.root, options)
  try {
    ledger.compactCache(true)
  } finally {
    ledger.close()
  }
  const commit = await commitHistory(context)
  return [
    { did: 'made the cache again from the log', ...undo },
    {
      did:
        commit === undefined
          ? 'the history holds the log already'
          : `committed the log to the history: ${commit}`,
    },
  ]
}
