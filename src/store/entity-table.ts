import { type EntityState, emptyState } from './entity-state.js'
import type { FoldTarget, StoredEvent } from './fold.js'
import { type ReadableState, unpackState } from './packed-state.js'
import { assignShown, groupOf, type Named, shownForm } from './shown-ids.js'
import type { Snapshot } from './snapshot.js'
import type { Damage } from './snapshot-format.js'
import { type Stamp, stampHorizon } from './stamp.js'

/** A state to read, and its row in the snapshot (-1: the overlay holds it). */
export interface Found {
  state: ReadableState
  row: number
}

/**
 * The folded state: a snapshot that never changes, and over it the entities touched since. Without a snapshot all
 * entities are in the overlay.
 */
export class EntityTable implements FoldTarget {
  readonly snapshot: Snapshot | undefined
  readonly overlay = new Map<string, EntityState>()
  /** 1: the overlay holds this entity of the snapshot. */
  readonly shadowed: Uint8Array
  readonly damage: Damage
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
  #horizon = ''

  constructor(snapshot: Snapshot | undefined, now: () => number) {
    this.snapshot = snapshot
    this.shadowed = new Uint8Array(snapshot?.count ?? 0)
    this.damage = { ...(snapshot?.meta.damage ?? { tornLines: 0, badLines: 0, unknownOps: 0 }) }
    this.greatest = snapshot?.meta.greatest ?? ''
    this.format = snapshot?.meta.format ?? 0
    this.#now = now
  }

  get nowMs(): number {
    return this.#now()
  }

  /** Reads without taking the entity into the overlay. */
  peek(id: string): Found | undefined {
    const touched = this.overlay.get(id)
    if (touched !== undefined) return { state: touched, row: -1 }
    const row = this.snapshot?.find(id) ?? -1
    return row < 0 ? undefined : this.foundInSnapshot(row)
  }

  foundInSnapshot(row: number): Found | undefined {
    return this.snapshot === undefined ? undefined : { state: this.snapshot.state(row), row }
  }

  find(id: string): EntityState | undefined {
    const touched = this.overlay.get(id)
    if (touched !== undefined || this.snapshot === undefined) return touched
    const entity = this.snapshot.find(id)
    if (entity < 0) return undefined
    const state = unpackState(this.snapshot.state(entity))
    this.shadowed[entity] = 1
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

  addEvent(event: StoredEvent): void {
    this.#newEvents.push(event)
    this.#events = undefined
  }

  noteStamp(stamp: Stamp): void {
    if (stamp <= this.greatest) return
    if (stamp > this.#horizon) this.#horizon = stampHorizon(this.#now())
    if (stamp <= this.#horizon) this.greatest = stamp
  }

  noteFormat(format: number): void {
    if (format > this.format) this.format = format
  }

  noteUnknownOp(): void {
    this.damage.unknownOps++
  }

  /** In order of marks, each once. */
  get events(): readonly StoredEvent[] {
    this.#events ??= inOrder([...(this.snapshot?.events ?? []), ...this.#newEvents])
    return this.#events
  }

  /** @param row - place in the snapshot, when that is where the state is from; -1 otherwise */
  shownId(state: ReadableState, row: number): string {
    if (state.a === undefined) return state.id
    const group = groupOf(state.id)
    if (!this.#births.has(group)) return this.#shownBefore(state, row)
    return this.#shownIn(group).get(state.id) ?? state.id
  }

  #shownBefore(state: ReadableState, row: number): string {
    const entity = row < 0 ? (this.snapshot?.find(state.id) ?? -1) : row
    const characters = entity < 0 ? state.a : this.snapshot?.column8('shown')[entity]
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
    for (const entity of this.snapshot?.groupMembers(group) ?? []) {
      if (this.shadowed[entity] !== 1) addNamed(members, this.snapshot?.state(entity))
    }
    // What the snapshot knows and the overlay touched is in `births` only when its birth changed.
    for (const state of this.#touchedMembers(group)) addNamed(members, state)
    return members
  }

  *#touchedMembers(group: string): Iterable<EntityState> {
    const ids = new Set(this.#births.get(group))
    for (const entity of this.snapshot?.groupMembers(group) ?? []) {
      const id = this.snapshot?.id(entity)
      if (id !== undefined && this.shadowed[entity] === 1) ids.add(id)
    }
    for (const id of ids) {
      const state = this.overlay.get(id)
      if (state !== undefined) yield state
    }
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

function addNamed(members: Named[], state: ReadableState | undefined): void {
  if (state?.born !== undefined) members.push({ id: state.id, a: state.a, born: state.born[0] })
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
