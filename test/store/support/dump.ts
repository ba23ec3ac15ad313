import type { EntityState } from '../../../src/store/entity-state.js'
import type { EntityTable } from '../../../src/store/entity-table.js'
import { storePaths } from '../../../src/store/layout.js'
import { LogState } from '../../../src/store/log-state.js'
import { unpackState } from '../../../src/store/packed-state.js'

export interface Dump {
  entities: Record<string, unknown>
  shown: Record<string, string>
  events: unknown
  damage?: { tornLines?: number; badLines: number; unknownOps: number }
}

/** All that a table holds, in one form whatever way it got there. */
export function dumpTable(table: EntityTable): Dump {
  const states = new Map<string, EntityState>()
  for (const { snapshot, shadowed } of table.layers) {
    for (let row = 0; row < snapshot.count; row++) {
      if (shadowed[row] === 1) continue
      const state = unpackState(snapshot.state(row))
      states.set(state.id, state)
    }
  }
  for (const state of table.overlay.values()) states.set(state.id, state)
  const dump: Dump = { entities: {}, shown: {}, events: sorted(table.events) }
  for (const id of [...states.keys()].sort()) {
    const state = states.get(id)
    if (state === undefined) continue
    dump.entities[id] = sorted(state)
    dump.shown[id] = table.shownId({ state, row: -1 })
  }
  return dump
}

/** What a new process sees, with the snapshot or from the log alone. */
export function dumpStore(dir: string, source: 'with snapshot' | 'log only'): Dump {
  const paths = storePaths(dir)
  const log = new LogState(source === 'log only' ? { ...paths, snapshot: `${dir}/none` } : paths, Date.now)
  log.refresh()
  const dump = log.query((table) => ({ ...dumpTable(table), damage: { ...table.damage } }))
  log.close()
  return dump
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
