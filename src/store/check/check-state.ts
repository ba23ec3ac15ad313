import { existsSync } from 'node:fs'
import type { Finding } from '../../domain/finding.js'
import type { EntityState } from '../entity-state.js'
import type { EntityTable } from '../entity-table.js'
import { eventsShownFrom } from '../event-age.js'
import type { StoredEvent } from '../fold.js'
import { LogState } from '../log-state.js'
import { unpackState } from '../packed-state.js'
import { openAside } from './aside.js'
import type { Repository } from './committed-files.js'
import { count } from './count.js'
import { finishRepair } from './repair-log.js'

/** Writers go on between two looks; what differs every time is a difference. */
const LOOKS = 4
const NAMED = 5

export interface CheckedState {
  findings: Finding[]
  /** Folded from the log alone. */
  table: EntityTable
}

/** What the log folds into, and whether the snapshot says the same. */
export function checkState(at: Repository): CheckedState {
  const whole = new LogState({ ...at.paths, snapshot: `${at.paths.snapshot}.none` }, at.settings.now)
  whole.refresh()
  const findings = [...checkSnapshot(at, whole), ...checkBirths(whole.table), ...checkShownIds(whole.table)]
  return { findings, table: whole.table }
}

function checkSnapshot(at: Repository, whole: LogState): Finding[] {
  if (!existsSync(at.paths.snapshot)) return []
  const cached = new LogState(at.paths, at.settings.now)
  try {
    let differing: string[] = []
    for (let look = 0; look < LOOKS; look++) {
      whole.refresh()
      cached.refresh()
      // Damaged beyond use: it was dropped while reading, and the next one replaces it.
      if (cached.table.hot === undefined) return []
      differing = cached.query((table) => differences(table, whole.table))
      if (differing.length === 0) return []
    }
    return [snapshotDiffers(at, differing)]
  } finally {
    cached.close()
  }
}

function snapshotDiffers(at: Repository, ids: readonly string[]): Finding {
  return {
    id: 'cache-differs',
    severity: 'error',
    what: `the cache says something else than the log about ${count(ids.length, 'entry').replace('entrys', 'entries')}: ${ids.slice(0, NAMED).join(', ')}`,
    where: 'cache/snap',
    fix: {
      what: 'set it aside; it is made again from the log',
      async apply() {
        const aside = openAside(at)
        finishRepair(at, aside)
        return {
          did: 'set the cache aside; the next command makes it again',
          undo: `${aside.name}/cache/snap`,
        }
      },
    },
  }
}

/** Ids whose state differs, `events` and `shown ids` for those. */
function differences(cached: EntityTable, whole: EntityTable): string[] {
  const differing: string[] = []
  const seen = new Set<string>()
  for (const state of allStates(cached)) {
    seen.add(state.id)
    const other = whole.overlay.get(state.id)
    if (other === undefined || canonical(state) !== canonical(other)) differing.push(state.id)
    else if (cached.shownId({ state, row: -1 }) !== whole.shownId({ state: other, row: -1 }))
      differing.push(state.id)
  }
  for (const id of whole.overlay.keys()) if (!seen.has(id)) differing.push(id)
  if (canonical(shownEvents(cached)) !== canonical(shownEvents(whole))) differing.push('events')
  return differing
}

/** Older ones are nobody's business any more: snapshots drop them. */
export function shownEvents(table: EntityTable): StoredEvent[] {
  const from = eventsShownFrom(table.nowMs, table.greatest)
  return table.events.filter(({ mark }) => mark > from)
}

export function* allStates(table: EntityTable): Iterable<EntityState> {
  for (const { snapshot, shadowed } of table.layers) {
    for (let row = 0; row < snapshot.count; row++) {
      if (shadowed[row] !== 1) yield unpackState(snapshot.state(row))
    }
  }
  yield* table.overlay.values()
}

/** One text for equal values, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function checkBirths(table: EntityTable): Finding[] {
  const unborn = [...table.overlay.values()].filter(({ k }) => k === undefined).map(({ id }) => id)
  if (unborn.length === 0) return []
  return [
    {
      id: 'entity-without-new',
      severity: 'warning',
      what: `${count(unborn.length, 'id')} spoken of, but never created: ${unborn.slice(0, NAMED).join(', ')}`,
      where: unborn[0] ?? '',
      hint: 'the record that created it is missing here; another machine of this town may have it: gt sync',
    },
  ]
}

function checkShownIds(table: EntityTable): Finding[] {
  const shown = new Map<string, string>()
  const twice: string[] = []
  for (const state of table.overlay.values()) {
    if (state.k === undefined) continue
    const form = table.shownId({ state, row: -1 })
    const other = shown.get(form)
    if (other !== undefined) twice.push(form)
    shown.set(form, state.id)
  }
  if (twice.length === 0) return []
  return [
    {
      id: 'shown-id-twice',
      severity: 'error',
      what: `two entities are shown as ${twice.slice(0, NAMED).join(', ')}`,
      hint: 'write the whole key instead; and please report this',
    },
  ]
}
