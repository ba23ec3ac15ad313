import type { LogOp } from '../../../src/store/record-line.js'
import type { Chain } from './histories.js'

/**
 * What chains mean, written down a second time and without care for speed: everything that counts is collected first,
 * then each value is chosen by sorting. The fold must say the same. Knows no `st` lines: it is fed what was written.
 */
export function modelEntities(chains: readonly Chain[]): Record<string, unknown> {
  const byId = new Map<string, Told[]>()
  for (const chain of chains) {
    for (const told of whatCounts(chain)) {
      const { id } = told.op
      byId.set(id, [...(byId.get(id) ?? []), told])
    }
  }
  return Object.fromEntries([...byId].map(([id, told]) => [id, entity(id, told)]))
}

type EntityOp = Extract<LogOp, { o: 'new' | 'set' | 'move' | 'add' | 'del' | 'say' | 'gone' }>

/** One op of a record that is not void. */
interface Told {
  chain: string
  t: string
  /** `t` and the place in the record: sorts like time. */
  mark: string
  by: string
  op: EntityOp
}

function whatCounts({ clone, records }: Chain): Told[] {
  const generations = new Map<string, number>()
  const counting: Told[] = []
  for (const { t, by, ops } of records) {
    const mine = new Map<string, number>()
    let isVoid = false
    for (const op of ops as LogOp[]) {
      if (op.o !== 'new' && op.o !== 'move') continue
      const wanted = op.o === 'new' ? 1 : op.gen
      if (wanted <= (mine.get(op.id) ?? generations.get(op.id) ?? 0)) isVoid = true
      mine.set(op.id, wanted)
    }
    if (isVoid) continue
    for (const [id, generation] of mine) generations.set(id, generation)
    for (const [index, op] of (ops as LogOp[]).entries()) {
      const mark = `${t}.${index.toString(16).padStart(4, '0')}`
      if (op.o !== 'ev') counting.push({ chain: clone, t, mark, by, op: op as EntityOp })
    }
  }
  return counting
}

function entity(id: string, told: readonly Told[]): unknown {
  const sorted = [...told].sort((a, b) => (a.mark < b.mark ? -1 : 1))
  const births = sorted.filter(({ op }) => op.o === 'new')
  const first = births[0]
  const gone = sorted.findLast(({ op }) => op.o === 'gone')
  return {
    id,
    ...(first?.op.o === 'new' ? { born: [first.mark, first.by], k: first.op.k } : {}),
    ...(first?.op.o === 'new' && first.op.a !== undefined ? { a: first.op.a } : {}),
    gen: greatest(told.map(generationOf)),
    last: sorted.at(-1)?.t,
    reg: registers(sorted),
    grd: guarded(sorted),
    set: elements(sorted),
    say: sorted.flatMap(({ op, mark, by }) => (op.o === 'say' ? [[mark, by, op.x]] : [])),
    ...(gone === undefined ? {} : { gone: gone.t }),
    ch: chainGenerations(told),
  }
}

function generationOf({ op }: Told): number {
  return op.o === 'new' ? 1 : op.o === 'move' ? op.gen : 0
}

function greatest(numbers: readonly number[]): number {
  return Math.max(0, ...numbers)
}

function chainGenerations(told: readonly Told[]): Record<string, number> {
  const chains = [...new Set(told.map(({ chain }) => chain))]
  const all = chains.map((chain) => {
    const mine = told.filter((one) => one.chain === chain)
    return [chain, greatest(mine.map(generationOf))] as const
  })
  return Object.fromEntries(all.filter(([, generation]) => generation > 0))
}

const GUARDED = ['status', 'assignee']

/** The last one written wins. */
function registers(sorted: readonly Told[]): Record<string, unknown> {
  const written = sorted.flatMap(({ op, t }) => {
    if (op.o !== 'set' && op.o !== 'new') return []
    const free = Object.entries(op.f).filter(([name]) => !GUARDED.includes(name))
    return free.map(([name, value]) => [name, [t, value]] as const)
  })
  return Object.fromEntries(written)
}

/** The highest generation wins, then closed, then the earliest. */
function guarded(sorted: readonly Told[]): Record<string, unknown> {
  const moves = sorted.flatMap(({ op, t }) => {
    if (op.o !== 'move' && op.o !== 'new') return []
    const gen = op.o === 'new' ? 1 : op.gen
    const rank = op.f.status === 'closed' ? 1 : 0
    const moved = Object.entries(op.f).filter(([name]) => op.o === 'move' || GUARDED.includes(name))
    return moved.map(([name, value]) => ({ name, gen, rank, t, value }))
  })
  // The winner last, so that it is what remains.
  moves.sort((a, b) => a.gen - b.gen || a.rank - b.rank || (a.t < b.t ? 1 : a.t > b.t ? -1 : 0))
  return Object.fromEntries(moves.map(({ name, gen, t, rank, value }) => [name, [gen, t, rank, value]]))
}

function elements(sorted: readonly Told[]): Record<string, Record<string, unknown>> {
  const sets: Record<string, Record<string, unknown>> = {}
  for (const { op, t } of sorted) {
    if (op.o !== 'add' && op.o !== 'del') continue
    for (const element of op.x) {
      sets[op.f] = Object.fromEntries([
        ...Object.entries(sets[op.f] ?? {}),
        [element, [t, op.o === 'add' ? 1 : 0]],
      ])
    }
  }
  return sets
}
