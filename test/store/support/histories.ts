import type { Op, PastOp } from '../../../src/domain/record.js'
import { floorStamp } from '../../../src/store/check-ops.js'
import { EntityTable } from '../../../src/store/entity-table.js'
import { applyRecord, type Verdict } from '../../../src/store/fold.js'
import { packState } from '../../../src/store/packed-state.js'
import { pastState } from '../../../src/store/past-state.js'
import type { LogOp, LogRecord } from '../../../src/store/record-line.js'
import { nextStamp } from '../../../src/store/stamp.js'
import type { Seeded } from './seeded.js'

export interface Chain {
  clone: string
  records: LogRecord[]
}

const IDS = [
  'issue-1',
  'issue-2',
  'proj-aaaaa111111',
  'proj-aaaaa222222',
  'proj-aaaaa2zzzzz',
  'proj-bbbbb333333',
]
const FIELDS = ['title', 'notes', 'hook', '__proto__', 'constructor']
const STATUSES = ['open', 'hooked', 'closed', 'in_review']
const LABELS = ['red', 'blue', 'blocks:issue-1']

interface Clone extends Chain {
  table: EntityTable
  /** How much of each other chain this clone has received. */
  received: Map<string, number>
  clock: { skewMs: number }
}

const FAR_FUTURE_MS = Date.parse('2099-01-01T00:00:00.000Z')

/** Chains as 2 to 4 clones with wrong clocks would write them, each seeing only what it has received so far. */
export function randomChains(random: Seeded, steps: number): Chain[] {
  let now = Date.parse('2026-11-20T09:00:00.000Z')
  const clones = Array.from({ length: 2 + random.below(3) }, (_, i): Clone => {
    const clock = { skewMs: someSkew(random) }
    const table = new EntityTable(undefined, () => now + clock.skewMs)
    return { clone: `aaaa${i}`, records: [], table, received: new Map(), clock }
  })
  for (let step = 0; step < steps; step++) {
    now += random.below(2000)
    const clone = random.pick(clones)
    if (random.chance(0.05)) clone.clock.skewMs = someSkew(random)
    // Set wrong by hand, and set right again a little later.
    if (random.chance(0.003)) clone.clock.skewMs = FAR_FUTURE_MS - now
    if (random.chance(0.3)) receive(clone, random.pick(clones), random)
    else write(clone, random, now)
  }
  return clones.map(({ clone, records }) => ({ clone, records }))
}

function someSkew(random: Seeded): number {
  return random.below(20_000) - 10_000
}

function receive(clone: Clone, from: Clone, random: Seeded): void {
  if (from === clone) return
  const seen = clone.received.get(from.clone) ?? 0
  const upTo = seen + random.below(from.records.length - seen + 1)
  for (const record of from.records.slice(seen, upTo)) applyRecord(clone.table, from.clone, record)
  clone.received.set(from.clone, upTo)
}

function write(clone: Clone, random: Seeded, now: number): void {
  const ops = Array.from(
    { length: 1 + random.below(3) },
    (): LogOp =>
      random.chance(0.1)
        ? pastState(clone.table, randomPast(clone.table, random, now))
        : randomOp(clone.table, random),
  )
  const stamp = nextStamp({
    nowMs: now + clone.clock.skewMs,
    greatest: clone.table.greatest,
    floor: floorStamp(
      clone.table,
      ops.filter((op): op is Exclude<Op, PastOp> => op.o !== 'st'),
    ),
    clone: clone.clone,
    random: random.text(6),
  })
  const record: LogRecord = { t: stamp, by: `rig/${clone.clone}`, ops }
  clone.records.push(record)
  applyRecord(clone.table, clone.clone, record)
}

function randomOp(table: EntityTable, random: Seeded): Exclude<Op, PastOp> {
  const id = random.pick(IDS)
  const generation = table.peek(id)?.state.gen ?? 0
  switch (random.below(9)) {
    case 0:
    case 1:
      return {
        o: 'new',
        id,
        k: random.pick(['bead', 'mail'] as const),
        ...(id.startsWith('proj-') ? { a: 5 } : {}),
        f: { status: random.pick(STATUSES), title: random.text(3) },
      }
    case 2:
    case 3: {
      // Sometimes on an old view, as a process that lost a race would.
      const gen = Math.max(2, generation + (random.chance(0.8) ? 1 : 0))
      const status = random.pick(STATUSES)
      return { o: 'move', id, gen, f: { status, assignee: random.text(2), hook: random.text(2) } }
    }
    case 4:
      return { o: 'set', id, f: named(random.pick(FIELDS), random.chance(0.2) ? null : random.text(3)) }
    case 5:
      return { o: random.chance(0.6) ? 'add' : 'del', id, f: 'labels', x: [random.pick(LABELS)] }
    case 6:
      return { o: 'say', id, x: random.text(4) }
    case 7:
      if (random.chance(0.1)) return { o: 'gone', id }
      return random.chance(0.2)
        ? randomPurge(table, id, random)
        : { o: 'set', id, f: { notes: random.text(2) } }
    default:
      return { o: 'ev', type: 'test', data: { n: random.text(4) } }
  }
}

/** What an import of another tracker's file writes, dated up to a minute ago. */
function randomPast(table: EntityTable, random: Seeded, now: number): PastOp {
  const id = random.pick(IDS)
  const at = new Date(now - random.below(60_000)).toISOString()
  const isNew = table.peek(id)?.state.k === undefined
  return {
    o: 'past',
    id,
    k: 'bead',
    at,
    ...(isNew ? { born: { at, by: random.text(2) }, first: { status: random.pick(STATUSES) } } : {}),
    f: named(random.pick(FIELDS), random.chance(0.2) ? null : random.text(1)),
    add: { labels: [random.pick(LABELS)] },
    ...(random.chance(0.05) ? { gone: true } : {}),
  }
}

function randomPurge(table: EntityTable, id: string, random: Seeded): Extract<Op, { o: 'purge' }> {
  const comments = table.peek(id)?.state.say.map(([mark]) => `c:${mark}` as const) ?? []
  const fields = ['title', 'notes', 'hook', 'labels', '__proto__'].map((field) => `f:${field}` as const)
  return { o: 'purge', id, what: random.pick(['*' as const, ...fields, ...fields, ...comments]) }
}

/** As JSON.parse would give it: `__proto__` is a field like any other. */
function named(field: string, value: string | null): Record<string, string | null> {
  return Object.fromEntries([[field, value]])
}

/** The chain with its first records folded into `st` lines, as compaction will write them. */
export function compacted(chain: Chain, count: number): Chain {
  const table = new EntityTable(undefined, () => Date.parse('2027-01-01T00:00:00.000Z'))
  for (const record of chain.records.slice(0, count)) applyRecord(table, chain.clone, record)
  const base: LogRecord[] = []
  let greatest = ''
  for (const state of table.overlay.values()) {
    const { ch: _, ...packed } = packState(state)
    if (state.last > greatest) greatest = state.last
    if (state.last !== '') base.push({ t: state.last, by: 'gt', ops: [{ o: 'st', ...packed }] })
  }
  for (const event of table.events) {
    const t = event.mark.slice(0, 42)
    const op: LogOp = {
      o: 'ev',
      type: event.type,
      data: event.data,
      i: Number.parseInt(event.mark.slice(43), 16),
    }
    base.push({ t, by: event.by, ops: [op] })
  }
  return { clone: chain.clone, records: [...base, ...chain.records.slice(count)] }
}

export interface Delivery {
  table: EntityTable
  verdicts: Map<LogRecord, Verdict>
}

/** Folds chains in one random interleaving; each keeps its order, and some lines come twice. */
export function deliver(chains: readonly Chain[], random: Seeded): Delivery {
  const table = new EntityTable(undefined, () => Date.parse('2027-01-01T00:00:00.000Z'))
  const verdicts = new Map<LogRecord, Verdict>()
  const positions = chains.map(() => 0)
  const total = chains.reduce((sum, { records }) => sum + records.length, 0)
  for (let done = 0; done < total; ) {
    const which = random.below(chains.length)
    const chain = chains[which]
    const position = positions[which] ?? 0
    const record = chain?.records[position]
    if (chain === undefined || record === undefined) continue
    const verdict = applyRecord(table, chain.clone, parsed(record))
    verdicts.set(record, verdict)
    positions[which] = position + 1
    done++
    if (random.chance(0.2))
      applyRecord(table, chain.clone, parsed(random.pick(chain.records.slice(0, position + 1))))
  }
  return { table, verdicts }
}

/** States must not share objects with the records of another delivery. */
function parsed(record: LogRecord): LogRecord {
  return JSON.parse(JSON.stringify(record)) as LogRecord
}
