import { type EntityState, emptyState } from './entity-state.js'
import type { FoldTarget, StoredEvent } from './fold.js'
import { type PackedState, type ReadableState, unpackState } from './packed-state.js'
import { assignShown, groupOf, type Named, shownForm } from './shown-ids.js'
import type { Snapshot } from './snapshot.js'
import type { Damage, Purge } from './snapshot-format.js'
import { type Stamp, stampHorizon, stampMs } from './stamp.js'
import { ARCHIVE_AFTER_MS } from './store-options.js'

/** A snapshot, and which of its entities something newer stands over. */
export interface Layer {
  readonly snapshot: Snapshot
  /** 1: the overlay, or the layer above, holds this entity. */
  readonly shadowed: Uint8Array
}

/** A state to read, and its row in the layer it is from (-1: the overlay holds it). */
export interface Found {
  state: ReadableState
  row: number
  layer?: Layer
}

/**
 * The folded state: a snapshot that never changes, in two layers, and over it the entities touched since. Without a
 * snapshot all entities are in the overlay. The lower layer holds what rests (closed long ago); it is opened when an id
 * is not found above it, or a question can concern it.
 */
export class EntityTable implements FoldTarget {
  /** The upper layer. */
  readonly hot: Layer | undefined
  #cold: Layer | undefined
  readonly overlay = new Map<string, EntityState>()
  readonly damage: Damage
  /** All that was ever purged. */
  readonly purges: Purge[]
  /** Greatest stamp met that is not too far ahead of the clock. */
  greatest: Stamp
  /** Greatest `format` of any segment head. */
  format: number
  readonly #newEvents: StoredEvent[] = []
  #events: StoredEvent[] | undefined
  /** Overlay entities that the snapshot does not know with this birth, by group of their shown ids. */
  readonly #births = new Map<string, string[]>()
  readonly #shown = new Map<string, ReadonlyMap<string, string>>()
  readonly #now: () => number
  readonly #archiveAfterMs: number
  #horizon = ''

  constructor(snapshot: Snapshot | undefined, now: () => number, archiveAfterMs = ARCHIVE_AFTER_MS) {
    if (snapshot !== undefined) this.hot = { snapshot, shadowed: new Uint8Array(snapshot.count) }
    this.damage = { ...(snapshot?.meta.damage ?? { tornLines: 0, badLines: 0, unknownOps: 0 }) }
    this.purges = (snapshot?.meta.purges ?? []).map((purge) => ({ ...purge }))
    this.greatest = snapshot?.meta.greatest ?? ''
    this.format = snapshot?.meta.format ?? 0
    this.#now = now
    this.#archiveAfterMs = archiveAfterMs
  }

  get nowMs(): number {
    return this.#now()
  }

  /** Beads at rest since before this are archived. Seconds since the epoch; counted from the newest record, see event-age. */
  get archivedBefore(): number {
    const newestMs = this.greatest === '' ? this.nowMs : Math.min(this.nowMs, stampMs(this.greatest))
    return Math.floor((newestMs - this.#archiveAfterMs) / 1000)
  }

  /** @throws SnapshotDamaged when the lower layer cannot be read */
  get cold(): Layer | undefined {
    const { hot } = this
    if (this.#cold !== undefined || hot?.snapshot.meta.cold === undefined) return this.#cold
    const snapshot = hot.snapshot.openCold()
    const shadowed = new Uint8Array(snapshot.count)
    for (const row of hot.snapshot.meta.cold.shadowed) shadowed[row] = 1
    for (const id of this.overlay.keys()) {
      const row = snapshot.find(id)
      if (row >= 0) shadowed[row] = 1
    }
    this.#cold = { snapshot, shadowed }
    return this.#cold
  }

  /** From the top. */
  get layers(): Layer[] {
    return [this.hot, this.cold].filter((layer) => layer !== undefined)
  }

  close(): void {
    this.hot?.snapshot.close()
    this.#cold?.snapshot.close()
  }

  /** Reads without taking the entity into the overlay. */
  peek(id: string): Found | undefined {
    const touched = this.overlay.get(id)
    return touched === undefined ? this.#below(id) : { state: touched, row: -1 }
  }

  /** As the snapshot has it. */
  #below(id: string): Found | undefined {
    if (this.hot === undefined) return undefined
    return rowIn(this.hot, id) ?? (this.cold === undefined ? undefined : rowIn(this.cold, id))
  }

  find(id: string): EntityState | undefined {
    const touched = this.overlay.get(id)
    if (touched !== undefined) return touched
    const found = this.#below(id)
    if (found === undefined) return undefined
    const state = unpackState(found.state as PackedState)
    if (found.layer !== undefined) found.layer.shadowed[found.row] = 1
    this.overlay.set(id, state)
    return state
  }

  touch(id: string): EntityState {
    const known = this.find(id)
    if (known !== undefined) return known
    const state = emptyState(id)
    this.overlay.set(id, state)
    return state
  }

  noteBirth(state: EntityState): void {
    const group = groupOf(state.id)
    this.#shown.delete(group)
    const ids = this.#births.get(group)
    if (ids === undefined) this.#births.set(group, [state.id])
    else if (!ids.includes(state.id)) ids.push(state.id)
  }

  notePurge(id: string, what: string, stamp: Stamp): void {
    const known = this.purges.find((purge) => purge.id === id && purge.what === what)
    if (known === undefined) this.purges.push({ id, what, stamp })
    else if (stamp > known.stamp) known.stamp = stamp
    this.#events = undefined
  }

  addEvent(event: StoredEvent): void {
    this.#newEvents.push(event)
    this.#events = undefined
  }

  noteStamp(stamp: Stamp): void {
    if (stamp <= this.greatest) return
    if (stamp > this.#horizon) this.#horizon = stampHorizon(this.#now())
    if (stamp <= this.#horizon) this.greatest = stamp
  }

  /**
   * Before a stamp is made: when our clock was set back, what it once allowed is too far ahead by now, and stamps written
   * since count again.
   */
  forgetTooFar(): void {
    const horizon = stampHorizon(this.#now())
    if (this.greatest <= horizon) return
    this.greatest = ''
    this.#horizon = horizon
  }

  noteFormat(format: number): void {
    if (format > this.format) this.format = format
  }

  noteUnknownOp(): void {
    this.damage.unknownOps++
  }

  /** In order of marks, each once; without those that tell of something that was purged since. */
  get events(): readonly StoredEvent[] {
    this.#events ??= inOrder([...(this.hot?.snapshot.events ?? []), ...this.#newEvents]).filter(
      (event) => !this.purges.some((purge) => tellsOf(event, purge)),
    )
    return this.#events
  }

  shownId({ state, row, layer }: Found): string {
    if (state.a === undefined) return state.id
    const group = groupOf(state.id)
    if (!this.#births.has(group))
      return this.#shownBefore(state, layer === undefined ? undefined : { layer, row })
    return this.#shownIn(group).get(state.id) ?? state.id
  }

  #shownBefore(state: ReadableState, at: { layer: Layer; row: number } | undefined): string {
    const found = at ?? this.#below(state.id)
    if (found?.layer === undefined) return shownForm(state.id, state.a)
    const characters = found.layer.snapshot.column8('shown')[found.row]
    return characters === 0 ? state.id : shownForm(state.id, characters)
  }

  /** Shown ids of all keys that start like `group`, by key. */
  #shownIn(group: string): ReadonlyMap<string, string> {
    let shown = this.#shown.get(group)
    if (shown === undefined) {
      shown = assignShown(this.#members(group))
      this.#shown.set(group, shown)
    }
    return shown
  }

  #members(group: string): Named[] {
    const members: Named[] = []
    // What the snapshot knows and the overlay touched is in `births` only when its birth changed.
    const touched = new Set(this.#births.get(group))
    for (const { snapshot, shadowed } of this.layers) {
      for (const row of snapshot.groupMembers(group)) {
        if (shadowed[row] === 1) touched.add(snapshot.id(row))
        else addNamed(members, snapshot.state(row))
      }
    }
    // A row below one of the layer above is no member of the overlay.
    for (const id of touched) addNamed(members, this.overlay.get(id))
    return members
  }

  /** Groups with keys that the snapshot does not know with this birth. */
  get groupsWithNewBirth(): Iterable<string> {
    return this.#births.keys()
  }

  /** Whether shown ids in `group` may differ from what the snapshot says. */
  hasNewBirth(group: string): boolean {
    return this.#births.has(group)
  }

  /** Keys and shown ids of a group, as they are now. */
  shownInGroup(group: string): ReadonlyMap<string, string> {
    return this.#shownIn(group)
  }
}

function rowIn(layer: Layer, id: string): Found | undefined {
  const row = layer.snapshot.find(id)
  return row < 0 ? undefined : foundIn(layer, row)
}

export function foundIn(layer: Layer, row: number): Found {
  return { state: layer.snapshot.state(row), row, layer }
}

function addNamed(members: Named[], state: ReadableState | undefined): void {
  if (state?.born !== undefined) members.push({ id: state.id, a: state.a, born: state.born[0] })
}

/** Events repeat values (why a bead was closed), and are only a feed: all that name the entity go. */
function tellsOf({ mark, data }: StoredEvent, { id, stamp }: Purge): boolean {
  return mark < stamp && Object.values(data).includes(id)
}

function inOrder(events: StoredEvent[]): StoredEvent[] {
  let isSorted = true
  for (let i = 1; i < events.length && isSorted; i++) {
    isSorted = (events[i - 1]?.mark ?? '') < (events[i]?.mark ?? '')
  }
  if (isSorted) return events
  events.sort((a, b) => (a.mark < b.mark ? -1 : a.mark > b.mark ? 1 : 0))
  return events.filter((event, i) => event.mark !== events[i - 1]?.mark)
}
