import type { EntityKind } from '../domain/record.js'
import { mayBeArchived } from '../domain/resting.js'
import type { EntityQuery } from '../ports/ledger.js'
import { type EntityState, fieldValue, isVisible, own } from './entity-state.js'
import { type EntityTable, type Found, foundIn, type Layer } from './entity-table.js'
import { lastSeconds, setKey } from './snapshot-format.js'

/**
 * What `make` makes of the states that match, in order of birth. Each state is dropped at once: thousands that live until
 * the last is read cost a cold process more time for collecting garbage than for reading.
 */
export function selectStates<T>(table: EntityTable, query: EntityQuery, make: (found: Found) => T): T[] {
  const touched = withOverlay(table, [], (state) => matches(table, state, query))
  const layers = layersFor(table, query)
  if (layers.length > 1) return selectMixed(table, layers, query, touched).map(make)
  const made: T[] = []
  let next = 0
  for (const layer of layers) {
    scan(table, layer, query, (row) => {
      const found = foundIn(layer, row)
      for (let one = touched[next]; one !== undefined && byBirth(one, found) < 0; one = touched[++next])
        made.push(make(one))
      made.push(make(found))
    })
  }
  for (const one of touched.slice(next)) made.push(make(one))
  return made
}

/** Each layer is in order of births; together they are not. */
function selectMixed(
  table: EntityTable,
  layers: readonly Layer[],
  query: EntityQuery,
  touched: readonly Found[],
): Found[] {
  const found = [...touched]
  for (const layer of layers) scan(table, layer, query, (row) => found.push(foundIn(layer, row)))
  return found.sort(byBirth)
}

export function countStates(table: EntityTable, query: EntityQuery): number {
  let count = 0
  for (const layer of layersFor(table, query)) scan(table, layer, query, () => count++)
  for (const state of table.overlay.values()) if (matches(table, state, query)) count++
  return count
}

/** Those that can hold a match: the lower one is only opened when it can. */
function layersFor(table: EntityTable, query: EntityQuery): Layer[] {
  const { hot } = table
  if (hot === undefined) return []
  const below = hot.snapshot.meta.cold
  const statuses = below?.statuses[query.kind]
  if (below === undefined || statuses === undefined) return [hot]
  const isAsked = query.status === undefined || statusList(query).some((status) => statuses.includes(status))
  const isAllArchived =
    query.archived === undefined &&
    statuses.every((status) => mayBeArchived(query.kind, status)) &&
    below.before <= table.archivedBefore
  return isAsked && !isAllArchived ? table.layers : [hot]
}

/** States of `kind` whose set `field` holds `element`, in order of birth. */
export function selectReferrers(
  table: EntityTable,
  kind: EntityKind,
  field: string,
  element: string,
): Found[] {
  const found: Found[] = []
  for (const layer of layersFor(table, { kind, archived: 'too' })) {
    scanReferrers(table, layer, kind, setKey(field, element), (row) => found.push(foundIn(layer, row)))
  }
  return withOverlay(table, found, (state) => {
    const elements = own(state.set, field)
    const isMember = elements !== undefined && own(elements, element)?.[1] === 1
    return isMember && state.k === kind && isVisible(state)
  })
}

/** The status of an entity, from the column where it was not touched since the snapshot. */
export function statusIn(table: EntityTable, id: string): string | undefined {
  // What is archived counts as it stands: nothing waits for a blocker that was closed long ago.
  for (const { snapshot } of table.overlay.has(id) ? [] : table.layers) {
    const row = snapshot.find(id)
    if (row < 0) continue
    if (snapshot.column8('kind')[row] === 0) break
    return snapshot.meta.strings[snapshot.column('status')[row] ?? 0]
  }
  const state = table.peek(id)?.state
  if (state?.k === undefined) return undefined
  if (!isVisible(state)) return 'deleted'
  const status = fieldValue(state, 'status')
  return typeof status === 'string' ? status : undefined
}

/** Deleted ones. They are rare, and nobody waits for this: no column of the snapshot serves it. */
export function selectGone(table: EntityTable, kind: EntityKind): Found[] {
  const found: Found[] = []
  for (const layer of table.layers) {
    const kinds = layer.snapshot.column8('kind')
    for (let row = kinds.indexOf(0); row >= 0; row = kinds.indexOf(0, row + 1)) {
      const one = layer.shadowed[row] === 1 ? undefined : foundIn(layer, row)
      if (one?.state.k === kind && one.state.gone !== undefined) found.push(one)
    }
  }
  return withOverlay(table, found, (state) => state.k === kind && state.gone !== undefined)
}

function scanReferrers(
  table: EntityTable,
  layer: Layer,
  kind: EntityKind,
  key: string,
  visit: (row: number) => void,
): void {
  const { snapshot } = layer
  const wanted = snapshot.setStrings.indexOf(key)
  if (wanted < 0) return
  const offsets = snapshot.column32('setOffset')
  const elements = snapshot.column32('setElement')
  scan(table, layer, { kind, archived: 'too' }, (row) => {
    const end = offsets[row + 1] ?? 0
    for (let i = offsets[row] ?? 0; i < end; i++) if (elements[i] === wanted) return visit(row)
  })
}

/**
 * Visits the layer's entities that match and were not touched since. `indexOf` of a typed array hops over the rest
 * at native speed, so it runs over the column that leaves the fewest.
 */
function scan(table: EntityTable, layer: Layer, query: EntityQuery, visit: (row: number) => void): void {
  const { snapshot, shadowed } = layer
  const { strings } = snapshot.meta
  // Index 0 stands for "absent", which no query asks for.
  const number = (text: string) => strings.indexOf(text) || -1
  const kind = number(query.kind)
  if (kind < 0) return
  const kinds = snapshot.column8('kind')
  const wanted = query.status === undefined ? undefined : statusList(query).map(number)
  const statuses = wanted === undefined ? undefined : snapshot.column('status')
  const assignee = query.assignee === undefined ? undefined : number(query.assignee)
  const assignees = assignee === undefined ? undefined : snapshot.column('assignee')
  const [column, value] =
    assignees !== undefined && assignee !== undefined
      ? [assignees, assignee]
      : statuses !== undefined && wanted?.length === 1
        ? [statuses, wanted[0] ?? -1]
        : [kinds, kind]
  const isAged = ageFilter(table, layer, query)
  for (let row = column.indexOf(value); row >= 0; row = column.indexOf(value, row + 1)) {
    if (kinds[row] !== kind || shadowed[row] === 1) continue
    if (statuses !== undefined && wanted?.includes(statuses[row] ?? 0) !== true) continue
    if (query.text !== undefined && !snapshot.mayHold(row, query.text)) continue
    if (isAged === undefined || isAged(row)) visit(row)
  }
}

/** @returns undefined when the age of no row matters */
function ageFilter(
  table: EntityTable,
  { snapshot }: Layer,
  query: EntityQuery,
): ((row: number) => boolean) | undefined {
  if (!agesMatter(query)) return undefined
  const { strings } = snapshot.meta
  const archivable = new Set(
    [...strings.keys()].filter((number) => mayBeArchived(query.kind, strings[number] ?? '')),
  )
  const statuses = snapshot.column('status')
  const last = snapshot.column32('last')
  const { archivedBefore } = table
  const wantsArchived = query.archived === 'only'
  return (row) => {
    const isArchived = archivable.has(statuses[row] ?? 0) && (last[row] ?? 0) < archivedBefore
    return isArchived === wantsArchived
  }
}

/** Only closed beads are ever archived; a query for others need not look. */
function agesMatter(query: EntityQuery): boolean {
  if (query.archived === 'too') return false
  if (query.archived === 'only') return true
  const statuses = query.status === undefined ? ['closed'] : statusList(query)
  return statuses.some((status) => mayBeArchived(query.kind, status))
}

function matches(table: EntityTable, state: EntityState, query: EntityQuery): boolean {
  if (state.k !== query.kind || !isVisible(state)) return false
  if (query.assignee !== undefined && fieldValue(state, 'assignee') !== query.assignee) return false
  const status = fieldValue(state, 'status')
  const text = typeof status === 'string' ? status : ''
  if (query.status !== undefined && !statusList(query).includes(text)) return false
  if (query.archived === 'too') return true
  const isArchived = mayBeArchived(state.k, text) && lastSeconds(state.last) < table.archivedBefore
  return isArchived === (query.archived === 'only')
}

function statusList(query: EntityQuery): readonly string[] {
  return typeof query.status === 'string' ? [query.status] : (query.status ?? [])
}

/** Adds what the overlay has. Each layer is in order of births; together, and with the overlay, they are not. */
function withOverlay(table: EntityTable, found: Found[], isWanted: (state: EntityState) => boolean): Found[] {
  const isMixed = found[0]?.layer !== found.at(-1)?.layer
  const before = found.length
  for (const state of table.overlay.values()) if (isWanted(state)) found.push({ state, row: -1 })
  if (isMixed || found.length > before) found.sort(byBirth)
  return found
}

function byBirth({ state: a }: Found, { state: b }: Found): number {
  const x = a.born?.[0] ?? ''
  const y = b.born?.[0] ?? ''
  return x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1
}
