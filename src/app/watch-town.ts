import type { OrchestratorEvent } from '../ports/orchestrator.js'
import type { Town } from './town.js'
import { readTownView, type TownView } from './town-view.js'

/**
 * Calls back with a fresh view whenever the store or a session changed; never by polling. Bursts are folded into one call.
 * @param signal - ends the watching
 */
export async function watchTown(
  town: Town,
  signal: AbortSignal,
  onView: (view: TownView) => void,
): Promise<void> {
  let reading = false
  let again = false
  const refresh = async (): Promise<void> => {
    if (reading) {
      again = true
      return
    }
    reading = true
    do {
      again = false
      const view = await readTownView(town)
      if (!signal.aborted) onView(view)
      if (again) await town.clock.sleep(FOLD_MS, signal).catch(() => {})
    } while (again && !signal.aborted)
    reading = false
  }
  const unwatch = town.ledger.watch(() => void refresh())
  try {
    await refresh()
    await followSessions(town, signal, () => void refresh())
  } finally {
    unwatch()
  }
}

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
