import { expireAsks } from './answer-ask.js'
import type { Town } from './town.js'

/** The log is committed to the store's own git history about this often, while something is written at all. */
const COMMIT_AFTER_MS = 30_000
/**
 * Of the commands within this time the first starts the exchange, which waits as long before it looks: so it takes along what
 * the others wrote, and nothing stays behind.
 */
export const EXCHANGE_AFTER_MS = 1_500
/** How often commands try while the remote does not answer. */
const RETRY_EVERY_MS = 30_000
/** How often commands that wrote nothing look for news. */
const LOOK_EVERY_MS = 60_000

/** How often somebody looks whether the store needs more care than that. */
const LOOK_AFTER_MS = 600_000

/**
 * What a command leaves in order after it printed its answer: asks that nobody answered in time, the snapshot when the tail
 * behind it is long, and in the background a commit of the store's history, or an exchange with the other machines. Nothing
 * here is needed for truth, so nothing here may fail a command.
 */
export async function keepHouse(town: Town): Promise<void> {
  try {
    if (expireAsks(town) > 0) town.step('asks.expired')
    town.ledger.compactCache()
    await careForStore(town)
    if (town.config.store.remote !== undefined) {
      await startExchange(town)
      return
    }
    if ((town.ledger.uncommittedForMs() ?? 0) < COMMIT_AFTER_MS) return
    // Of a hundred commands that find it due at once, one starts it.
    if (town.host.isDue('commit-history', COMMIT_AFTER_MS))
      await town.host.startInBackground(['store', 'commit'], 'store')
  } catch {
    // The next command finds the same and tries again.
  }
}

/** Whatever keeps it from looking must not keep the history from being committed. */
async function careForStore(town: Town): Promise<void> {
  if (!town.host.isDue('store-care', LOOK_AFTER_MS)) return
  try {
    const due = await (await town.upkeep()).due()
    if (due.length > 0) await town.host.startInBackground(['store', 'compact', '--due'], 'store')
  } catch {
    // It looks again in ten minutes.
  }
}

async function startExchange(town: Town): Promise<void> {
  const state = (await town.upkeep()).syncState()
  const isWaiting = state === undefined || state.unsentForMs !== undefined
  const isDue = isWaiting
    ? town.host.isDue('sync', state?.lastError === undefined ? EXCHANGE_AFTER_MS : RETRY_EVERY_MS)
    : town.host.isDue('sync-look', LOOK_EVERY_MS)
  if (isDue) await town.host.startInBackground(['sync', '--background'], 'sync')
}
