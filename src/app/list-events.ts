import type { TownEvent } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import type { Town } from './town.js'

export interface EventFilter {
  types?: readonly string[]
  /** Key. */
  bead?: string
  agent?: string
  /** ISO 8601, UTC. */
  since?: string
  until?: string
}

/** Oldest first; `limit` keeps the newest. */
export function listEvents(view: View, filter: EventFilter, limit: number): TownEvent[] {
  const { types = [] } = filter
  const isPlain = Object.keys(filter).every((name) => name === 'types')
  const query = { ...(types.length === 0 ? {} : { type: types }), ...(isPlain ? { limit } : {}) }
  const events = view.events(query).filter((event) => isWanted(event, filter))
  return limit >= events.length ? events : events.slice(events.length - limit)
}

function isWanted({ at, by, data, type }: TownEvent, filter: EventFilter): boolean {
  const { types = [], bead, agent, since = '', until } = filter
  return (
    (types.length === 0 || types.includes(type)) &&
    at >= since &&
    (until === undefined || at < until) &&
    (bead === undefined || Object.values(data).includes(bead)) &&
    (agent === undefined || by === agent || data.agent === agent)
  )
}

/** What another machine recorded in this time and sync brings only now is still shown. */
const LATE_MS = 86_400_000

/**
 * Shows new events as they are recorded, until `signal`. Nothing is shown twice; what came before is the caller's.
 * @param seen - cursors of what was shown already
 */
export async function followEvents(
  town: Town,
  filter: EventFilter,
  options: { seen: Set<string>; signal: AbortSignal },
  show: (event: TownEvent) => void,
): Promise<void> {
  const { seen, signal } = options
  const from = new Date(town.clock.now() - LATE_MS).toISOString()
  const look = (onNew: (event: TownEvent) => void) => {
    for (const event of town.ledger.read().events({ after: from })) {
      if (seen.has(event.cursor)) continue
      seen.add(event.cursor)
      if (isWanted(event, filter)) onNew(event)
    }
  }
  let wake: () => void = () => {}
  const unwatch = town.ledger.watch(() => wake())
  try {
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      look(show)
      await changed
    }
  } finally {
    unwatch()
  }
}

/** Everything up to now counts as seen, wanted or not. */
export function eventsUpToNow(view: View): Set<string> {
  return new Set(view.events().map(({ cursor }) => cursor))
}
