import type { EntityKind } from '../domain/record.js'
import { isVisible } from './entity-state.js'
import { type EntityTable, type Found, foundIn } from './entity-table.js'
import { freeLength, groupOf, MIN_SHOWN } from './shown-ids.js'

/** Visible entities of `kind` that `typed` can mean: the exact id, else the exact shown id, else all with that prefix. */
export function matchingStates(table: EntityTable, kind: EntityKind, typed: string): Found[] {
  if (typed === '') return []
  const exact = table.peek(typed)
  if (exact !== undefined && isOf(exact, kind)) return [exact]
  for (const [id, shown] of table.shownInGroup(groupOf(typed))) {
    if (shown !== typed) continue
    const match = table.peek(id)
    if (match !== undefined && isOf(match, kind)) return [match]
  }
  return withPrefix(table, kind, typed)
}

function withPrefix(table: EntityTable, kind: EntityKind, typed: string): Found[] {
  const found: Found[] = []
  for (const layer of table.layers) {
    for (const row of layer.snapshot.withPrefix(typed)) {
      if (layer.shadowed[row] === 1) continue
      const match = foundIn(layer, row)
      if (isOf(match, kind)) found.push(match)
    }
  }
  for (const state of table.overlay.values()) {
    const match = { state, row: -1 }
    if (state.id.startsWith(typed) && isOf(match, kind)) found.push(match)
  }
  return found
}

function isOf({ state }: Found, kind: EntityKind): boolean {
  return state.k === kind && isVisible(state)
}

/** Random characters that a new `key` must show so that nothing else is shown alike now. */
export function shownLengthOf(table: EntityTable, key: string): number {
  const taken = new Set<string>()
  for (const [id, shown] of table.shownInGroup(groupOf(key))) {
    if (id === key) continue
    taken.add(shown)
    taken.add(id)
  }
  return freeLength(key, MIN_SHOWN, taken)
}
