import type { Town } from './town.js'

/** The log is committed to the store's own git history about this often, while something is written at all. */
const COMMIT_AFTER_MS = 30_000

/** How often somebody looks whether the store needs more care than that. */
const LOOK_AFTER_MS = 600_000

/**
 * What a command leaves in order after it printed its answer: the snapshot when the tail behind it is long, and a commit of
 * the store's history, in the background, when the last one is old. Nothing here is needed for truth, so nothing here may
 * fail a command.
 */
export async function keepHouse(town: Town): Promise<void> {
  try {
    town.ledger.compactCache()
    await careForStore(town)
    if ((town.ledger.uncommittedForMs() ?? 0) < COMMIT_AFTER_MS) return
    // Of a hundred commands that find it due at once, one starts it.
    if (town.host.isDue('commit-history', COMMIT_AFTER_MS))
      await town.host.startInBackground(['store', 'commit'], 'store')
  } catch {
    // The next command finds the same and tries again.
  }
}

async function careForStore(town: Town): Promise<void> {
  if (!town.host.isDue('store-care', LOOK_AFTER_MS)) return
  const due = await (await town.upkeep()).due()
  if (due.length > 0) await town.host.startInBackground(['store', 'compact', '--due'], 'store')
}
