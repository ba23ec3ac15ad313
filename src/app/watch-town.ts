import type { OrchestratorEvent } from '../ports/orchestrator.js'
import type { Town } from './town.js'
import { readTownView, type TownView } from './town-view.js'

/**
 * Calls back with a fresh view whenever the store or a session changed; one look every ten seconds is the net below it.
 * Bursts are folded into one call.
 * @param signal - ends the watching
 */
export async function watchTown(
  town: Town,
  signal: AbortSignal,
  onView: (view: TownView) => void,
): Promise<void> {
  let reading = false
  let again = false
  let last: TownView | undefined
  const refresh = async (): Promise<void> => {
    if (reading) {
      again = true
      return
    }
    reading = true
    try {
      do {
        again = false
        last = await readOrComplain(town, last)
        if (!signal.aborted) onView(last)
        if (again) await town.clock.sleep(FOLD_MS, signal).catch(() => {})
      } while (again && !signal.aborted)
    } finally {
      reading = false
    }
  }
  const unwatch = town.ledger.watch(() => void refresh())
  const unwatchConfig = await town.watchConfig(() => void refresh())
  try {
    await refresh()
    void refreshNowAndThen(town, signal, refresh)
    await followSessions(town, signal, () => void refresh())
  } finally {
    unwatch()
    await unwatchConfig()
  }
}

/** A store that cannot be read for a moment must not end the watching: the last view stays, with what is wrong. */
async function readOrComplain(town: Town, last: TownView | undefined): Promise<TownView> {
  try {
    return await readTownView(town)
  } catch (error) {
    if (!last) throw error
    const problem = `what is shown is old: ${error instanceof Error ? error.message : String(error)}`
    return { ...last, problems: [problem] }
  }
}

/** A screen that stands still is no event, and yet its agent is idle after a while: one look at the town tells. */
async function refreshNowAndThen(
  town: Town,
  signal: AbortSignal,
  refresh: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await town.clock.sleep(NOW_AND_THEN_MS, signal).catch(() => {})
    if (!signal.aborted) await refresh()
  }
}

const NOW_AND_THEN_MS = 10_000

/** Several changes within this time are shown at once. */
const FOLD_MS = 100
const RECONNECT_MS = 2_000

async function followSessions(
  town: Town,
  signal: AbortSignal,
  onChange: (event: OrchestratorEvent) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const orchestrator = await town.orchestrator()
      for await (const event of orchestrator.events(signal)) onChange(event)
    } catch {
      // The backend is not there yet, or went away: the view says so; look again soon.
    }
    await town.clock.sleep(RECONNECT_MS, signal).catch(() => {})
  }
}
