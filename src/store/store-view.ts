import type { Comment, Entity, EntityKind, TownEvent } from '../domain/record.js'
import type { EntityQuery, EntityTimes, View } from '../ports/ledger.js'
import { blobText } from './blob-store.js'
import { entityFromState, timesOf, withTexts } from './entity-from-state.js'
import { isVisible } from './entity-state.js'
import type { EntityTable, Found } from './entity-table.js'
import { eventsShownFrom } from './event-age.js'
import type { StoredEvent } from './fold.js'
import type { LogState } from './log-state.js'
import { unpackState } from './packed-state.js'
import { grownIdsOf, matchingStates, shownLengthOf } from './resolve-id.js'
import { countStates, selectGone, selectReferrers, selectStates, statusIn } from './select-states.js'
import type { Damage } from './snapshot-format.js'

/** Questions to the folded state. Each may find the cache damaged and is then asked again on a fresh fold. */
export class StoreView implements View {
  readonly #log: LogState
  readonly #blobs: string

  constructor(log: LogState, blobDirectory: string) {
    this.#log = log
    this.#blobs = blobDirectory
  }

  get damage(): Damage {
    return { ...this.#log.table.damage }
  }

  get(id: string): Entity | undefined {
    return this.#log.query((table) => {
      const found = table.peek(id)
      return found !== undefined && isVisible(found.state) ? this.#entity(table, found) : undefined
    })
  }

  statusOf(id: string): string | undefined {
    return this.#log.query((table) => statusIn(table, id))
  }

  list(query: EntityQuery): Entity[] {
    return this.#log.query((table) => selectStates(table, query, (found) => this.#entity(table, found)))
  }

  count(query: EntityQuery): number {
    return this.#log.query((table) => countStates(table, query))
  }

  referrers(kind: EntityKind, field: string, element: string): Entity[] {
    return this.#entities((table) => selectReferrers(table, kind, field, element))
  }

  resolve(kind: EntityKind, typed: string): ReturnType<View['resolve']> {
    const [first, ...others] = this.#entities((table) => matchingStates(table, kind, typed))
    if (first === undefined) return { kind: 'none' }
    if (others.length === 0) return { kind: 'found', entity: first }
    return { kind: 'ambiguous', ids: [first, ...others].map((entity) => entity.shownId).sort() }
  }

  comments(id: string): Comment[] {
    return this.#log.query((table) => {
      const state = table.peek(id)?.state
      if (state?.k === undefined) return []
      return state.say.map(([mark, by, text]) => ({
        id: mark,
        at: mark.slice(0, 24),
        by,
        text: blobText(this.#blobs, text),
      }))
    })
  }

  get eventsSince(): string {
    return this.#log.query((table) => eventsShownFrom(table.nowMs, table.greatest))
  }

  /** Without `after`, `limit` keeps the newest; with it, the next ones after the cursor. Oldest first either way. */
  events(query: { after?: string; type?: string | readonly string[]; limit?: number } = {}): TownEvent[] {
    const { after, limit = Number.POSITIVE_INFINITY } = query
    const types = typeof query.type === 'string' ? [query.type] : query.type
    const wanted = this.#log.query((table) => {
      const oldest = firstAfter(table.events, eventsShownFrom(table.nowMs, table.greatest))
      const start = after === undefined ? oldest : Math.max(oldest, firstAfter(table.events, after))
      const rest = table.events.slice(start)
      return types === undefined ? rest : rest.filter((event) => types.includes(event.type))
    })
    const kept =
      after === undefined ? wanted.slice(Math.max(0, wanted.length - limit)) : wanted.slice(0, limit)
    return kept.map((event) => this.#event(event))
  }

  tombstones(kind: EntityKind): Entity[] {
    return this.#entities((table) => selectGone(table, kind))
  }

  times(id: string): EntityTimes | undefined {
    return this.#log.query((table) => {
      const state = table.peek(id)?.state
      if (state?.k === undefined) return undefined
      return timesOf('t' in state ? unpackState(state) : state)
    })
  }

  grownIds(clones: readonly string[]): { id: string; announced: string; shown: string }[] {
    return this.#log.query((table) => grownIdsOf(table, clones))
  }

  shownLength(key: string): number {
    return this.#log.query((table) => shownLengthOf(table, key))
  }

  #entities(select: (table: EntityTable) => Found[]): Entity[] {
    return this.#log.query((table) => select(table).map((found) => this.#entity(table, found)))
  }

  #entity(table: EntityTable, found: Found): Entity {
    return entityFromState(found.state, table.shownId(found), this.#blobs)
  }

  #event({ mark, by, type, data }: StoredEvent): TownEvent {
    return { cursor: mark, at: mark.slice(0, 24), by, type, data: withTexts(data, this.#blobs) }
  }
}

function firstAfter(events: readonly StoredEvent[], cursor: string): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((events[middle]?.mark ?? '') <= cursor) low = middle + 1
    else high = middle
  }
  return low
}
