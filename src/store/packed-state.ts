import type { Json } from '../domain/record.js'
import { type EntityState, own, put } from './entity-state.js'
import type { Stamp } from './stamp.js'

/**
 * An EntityState as it is written down: in rows of the snapshot and in `st` lines. Most registers of an entity share
 * one or two stamps of 42 characters, so each is written once, ascending, and named by its place. Places compare like
 * the stamps they name.
 */
export interface PackedState extends Omit<EntityState, 'reg' | 'grd' | 'set'> {
  t: Stamp[]
  reg: Record<string, [stamp: number, value: Json]>
  grd: Record<string, [generation: number, stamp: number, rank: 0 | 1, value: Json]>
  set: Record<string, Record<string, [stamp: number, present: 0 | 1]>>
}

/** What can be read without caring whether stamps are spelled out. */
export type ReadableState = EntityState | PackedState

export function packState(state: EntityState): PackedState {
  const t = stampsOf(state)
  // A handful of stamps: searching the list beats building a map of it.
  return {
    ...state,
    t,
    reg: mapValues(state.reg, ([stamp, value]) => [t.indexOf(stamp), value]),
    grd: mapValues(state.grd, ([gen, stamp, rank, value]) => [gen, t.indexOf(stamp), rank, value]),
    set: mapValues(state.set, (elements) => mapValues(elements, ([stamp, flag]) => [t.indexOf(stamp), flag])),
  }
}

export function unpackState({ t, ...packed }: PackedState): EntityState {
  const stamp = (place: number) => t[place] ?? ''
  return {
    ...packed,
    reg: mapValues(packed.reg, ([place, value]) => [stamp(place), value]),
    grd: mapValues(packed.grd, ([gen, place, rank, value]) => [gen, stamp(place), rank, value]),
    set: mapValues(packed.set, (elements) => mapValues(elements, ([place, flag]) => [stamp(place), flag])),
  }
}

/** Each once, ascending. */
function stampsOf(state: EntityState): Stamp[] {
  const stamps: Stamp[] = []
  const note = (stamp: Stamp) => {
    if (!stamps.includes(stamp)) stamps.push(stamp)
  }
  for (const field in state.reg) note(state.reg[field]?.[0] ?? '')
  for (const field in state.grd) note(state.grd[field]?.[1] ?? '')
  for (const field in state.set) {
    const elements = state.set[field]
    for (const element in elements) note(elements[element]?.[0] ?? '')
  }
  return stamps.sort()
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  const changed: Record<string, B> = {}
  for (const key of Object.keys(record)) {
    const value = own(record, key)
    if (value !== undefined) put(changed, key, change(value))
  }
  return changed
}
