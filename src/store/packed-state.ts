import type { Json } from '../domain/record.js'
import type { EntityState } from './entity-state.js'
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
  const stamps = [...stampsOf(state)].sort()
  const places = new Map(stamps.map((stamp, place) => [stamp, place]))
  const place = (stamp: Stamp) => places.get(stamp) ?? 0
  return {
    ...state,
    t: stamps,
    reg: mapValues(state.reg, ([stamp, value]) => [place(stamp), value]),
    grd: mapValues(state.grd, ([gen, stamp, rank, value]) => [gen, place(stamp), rank, value]),
    set: mapValues(state.set, (elements) => mapValues(elements, ([stamp, flag]) => [place(stamp), flag])),
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

function stampsOf(state: EntityState): Set<Stamp> {
  const stamps = new Set<Stamp>()
  for (const [stamp] of Object.values(state.reg)) stamps.add(stamp)
  for (const [, stamp] of Object.values(state.grd)) stamps.add(stamp)
  for (const elements of Object.values(state.set))
    for (const [stamp] of Object.values(elements)) stamps.add(stamp)
  return stamps
}

/** `Object.fromEntries` defines properties, so that a field called `__proto__` stays a field. */
function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
