import type { EntityKind } from '../domain/record.js'
import type { EntityQuery } from '../ports/ledger.js'
import { type EntityState, fieldValue, isVisible, own } from './entity-state.js'
import type { EntityTable, Found } from './entity-table.js'
import type { Snapshot } from './snapshot.js'
import { setKey } from './snapshot-format.js'

/** States that match, in order of birth. */
export function selectStates(table: EntityTable, query: EntityQuery): Found[] {
  const found: Found[] = []
  const { snapshot } = table
  if (snapshot !== undefined)
    scan(table, snapshot, query, (row) => found.push({ state: snapshot.state(row), row }))
  return withOverlay(table, found, (state) => matches(state, query))
}

export function countStates(table: EntityTable, query: EntityQuery): number {
  let count = 0
  if (table.snapshot !== undefined) scan(table, table.snapshot, query, () => count++)
  for (const state of table.overlay.values()) if (matches(state, query)) count++
  return count
}

/** States of `kind` whose set `field` holds `element`, in order of birth. */
export function selectReferrers(
  table: EntityTable,
  kind: EntityKind,
  field: string,
  element: string,
): Found[] {
  const found: Found[] = []
  const { snapshot } = table
  const wanted = snapshot?.setStrings.indexOf(setKey(field, element)) ?? -1
  if (snapshot !== undefined && wanted >= 0) {
    const offsets = snapshot.column32('setOffset')
    const elements = snapshot.column32('setElement')
    scan(table, snapshot, { kind }, (entity) => {
      const end = offsets[entity + 1] ?? 0
      for (let i = offsets[entity] ?? 0; i < end; i++) {
        if (elements[i] === wanted) {
          found.push({ state: snapshot.state(entity), row: entity })
          return
        }
      }
    })
  }
  return withOverlay(table, found, (state) => {
    const elements = own(state.set, field)
    const isMember = elements !== undefined && own(elements, element)?.[1] === 1
    return isMember && state.k === kind && isVisible(state)
  })
}

/** Deleted ones. They are rare, and nobody waits for this: no column of the snapshot serves it. */
export function selectGone(table: EntityTable, kind: EntityKind): Found[] {
  const found: Found[] = []
  const kinds = table.snapshot?.column8('kind')
  for (let row = kinds?.indexOf(0) ?? -1; row >= 0; row = kinds?.indexOf(0, row + 1) ?? -1) {
    const one = table.shadowed[row] === 1 ? undefined : table.foundInSnapshot(row)
    if (one?.state.k === kind && one.state.gone !== undefined) found.push(one)
  }
  return withOverlay(table, found, (state) => state.k === kind && state.gone !== undefined)
}

/**
 * Visits the snapshot's entities that match and were not touched since. `indexOf` of a typed array hops over the rest
 * at native speed, so it runs over the column that leaves the fewest.
 */
function scan(
  table: EntityTable,
  snapshot: Snapshot,
  query: EntityQuery,
  visit: (row: number) => void,
): void {
  const { strings } = snapshot.meta
  // Index 0 stands for "absent", which no query asks for.
  const number = (text: string) => strings.indexOf(text) || -1
  const kind = number(query.kind)
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
  if (kind < 0) return
  for (let row = column.indexOf(value); row >= 0; row = column.indexOf(value, row + 1)) {
    if (kinds[row] !== kind || table.shadowed[row] === 1) continue
    if (statuses !== undefined && wanted?.includes(statuses[row] ?? 0) !== true) continue
    visit(row)
  }
}

function matches(state: EntityState, query: EntityQuery): boolean {
  if (state.k !== query.kind || !isVisible(state)) return false
  if (query.assignee !== undefined && fieldValue(state, 'assignee') !== query.assignee) return false
  if (query.status === undefined) return true
  const status = fieldValue(state, 'status')
  return typeof status === 'string' && statusList(query).includes(status)
}

function statusList(query: EntityQuery): readonly string[] {
  return typeof query.status === 'string' ? [query.status] : (query.status ?? [])
}

/** Adds what the overlay has. Births come in order already, unless another clone's older ones arrived late. */
function withOverlay(table: EntityTable, found: Found[], isWanted: (state: EntityState) => boolean): Found[] {
  const before = found.length
  for (const state of table.overlay.values()) if (isWanted(state)) found.push({ state, row: -1 })
  if (found.length > before) found.sort(byBirth)
  return found
}

function byBirth({ state: a }: Found, { state: b }: Found): number {
  const x = a.born?.[0] ?? ''
  const y = b.born?.[0] ?? ''
  return x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1
}
