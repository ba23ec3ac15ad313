import type { EntityKind } from '../domain/record.js'
import { isVisible } from './entity-state.js'
import { type EntityTable, type Found, foundIn } from './entity-table.js'
import { freeLength, groupOf, MIN_SHOWN, shownForm } from './shown-ids.js'
import { STAMP_CLONE_AT } from './stamp.js'

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

/** See View.grownIds. Only what is shown longer than usual, or has new neighbours, is looked at. */
export function grownIdsOf(
  table: EntityTable,
  clones: readonly string[],
): { id: string; announced: string; shown: string }[] {
  const grown: { id: string; announced: string; shown: string }[] = []
  for (const id of mayHaveGrown(table)) {
    const found = table.peek(id)
    if (found === undefined || !isOf(found, 'bead') || found.state.a === undefined) continue
    const maker = found.state.born?.[0].slice(STAMP_CLONE_AT, STAMP_CLONE_AT + 5) ?? ''
    const announced = shownForm(id, found.state.a)
    const shown = table.shownId(found)
    if (shown !== announced && clones.includes(maker)) grown.push({ id, announced, shown })
  }
  return grown
}

function mayHaveGrown(table: EntityTable): Set<string> {
  const ids = new Set<string>()
  // What has been closed for months needs no letter: the lower layer is left alone.
  const lengths = table.hot?.snapshot.column8('shown') ?? new Uint8Array()
  for (let row = 0; row < lengths.length; row++) {
    const id = (lengths[row] ?? 0) > MIN_SHOWN ? table.hot?.snapshot.id(row) : undefined
    if (id !== undefined) ids.add(id)
  }
  for (const { id, a } of table.overlay.values()) {
    if (a !== undefined) for (const neighbour of table.shownInGroup(groupOf(id)).keys()) ids.add(neighbour)
  }
  return ids
}
