import type { Json } from '../../../src/domain/record.js'
import { PURGED } from '../../../src/store/entity-state.js'
import type { LogOp } from '../../../src/store/record-line.js'
import type { Chain } from './histories.js'

/**
 * What chains mean, written down a second time and without care for speed: everything that counts is taken apart into
 * facts first, then each value is chosen by sorting them. The fold must say the same.
 */
export function modelEntities(chains: readonly Chain[]): Record<string, unknown> {
  const byId = new Map<string, Fact[]>()
  for (const chain of chains) {
    for (const { fact, id } of factsOf(chain)) byId.set(id, [...(byId.get(id) ?? []), fact])
  }
  return Object.fromEntries([...byId].map(([id, facts]) => [id, entity(id, facts)]))
}

/** `t` says since when; `place` orders what one record says twice. */
type Fact =
  | { kind: 'last'; t: string }
  | { kind: 'generation'; chain: string; value: number }
  | { kind: 'birth'; mark: string; by: string; k: string; a: number | undefined }
  | { kind: 'register'; t: string; place: number; field: string; value: Json }
  | { kind: 'guarded'; t: string; field: string; gen: number; rank: 0 | 1; value: Json }
  | { kind: 'element'; t: string; place: number; field: string; element: string; present: 0 | 1 }
  | { kind: 'comment'; mark: string; by: string; text: unknown }
  | { kind: 'gone'; t: string }
  | { kind: 'purge'; t: string; what: string }

type EntityOp = Extract<
  LogOp,
  { o: 'new' | 'set' | 'move' | 'add' | 'del' | 'say' | 'gone' | 'purge' | 'st' }
>

interface Place {
  chain: string
  t: string
  by: string
  place: number
}

/** Of the records that are not void. */
function factsOf({ clone, records }: Chain): { id: string; fact: Fact }[] {
  const generations = new Map<string, number>()
  const raise = (id: string, value: number) => generations.set(id, Math.max(value, generations.get(id) ?? 0))
  const found: { id: string; fact: Fact }[] = []
  for (const { t, by, ops } of records as { t: string; by: string; ops: LogOp[] }[]) {
    if (isVoid(ops, generations)) continue
    for (const [place, op] of ops.entries()) {
      if (!('id' in op)) continue
      for (const fact of opFacts({ chain: clone, t, by, place }, op)) found.push({ id: op.id, fact })
      raise(op.id, op.o === 'new' ? 1 : op.o === 'move' || op.o === 'st' ? op.gen : 0)
    }
  }
  return found
}

function isVoid(ops: readonly LogOp[], generations: ReadonlyMap<string, number>): boolean {
  const mine = new Map<string, number>()
  for (const op of ops) {
    if (op.o !== 'new' && op.o !== 'move') continue
    const wanted = op.o === 'new' ? 1 : op.gen
    if (wanted <= (mine.get(op.id) ?? generations.get(op.id) ?? 0)) return true
    mine.set(op.id, wanted)
  }
  return false
}

const GUARDED = ['status', 'assignee']

function opFacts({ chain, t, by, place }: Place, op: EntityOp): Fact[] {
  const mark = `${t}.${place.toString(16).padStart(4, '0')}`
  const last: Fact = { kind: 'last', t }
  if (op.o === 'st') return stateFacts(chain, op)
  if (op.o === 'say') return [last, { kind: 'comment', mark, by, text: op.x }]
  if (op.o === 'gone') return [last, { kind: 'gone', t }]
  if (op.o === 'purge') return [last, { kind: 'purge', t, what: op.what }]
  if ('x' in op) {
    const present = op.o === 'add' ? 1 : 0
    return [
      last,
      ...op.x.map((element): Fact => ({ kind: 'element', t, place, field: op.f, element, present })),
    ]
  }
  const gen = op.o === 'new' ? 1 : op.o === 'move' ? op.gen : 0
  const rank = op.f.status === 'closed' ? 1 : 0
  const values = Object.entries(op.f).flatMap(([field, value]): Fact[] => {
    const isGuarded = op.o === 'move' || GUARDED.includes(field)
    if (isGuarded) return op.o === 'set' ? [] : [{ kind: 'guarded', t, field, gen, rank, value }]
    return [{ kind: 'register', t, place, field, value }]
  })
  const birth: Fact[] = op.o === 'new' ? [{ kind: 'birth', mark, by, k: op.k, a: op.a }] : []
  return [last, ...birth, { kind: 'generation', chain, value: gen }, ...values]
}

/** An imported entity says of each part since when it holds. */
function stateFacts(chain: string, op: Extract<LogOp, { o: 'st' }>): Fact[] {
  const at = (place: number) => op.t[place] ?? ''
  const birth: Fact[] =
    op.born === undefined ? [] : [{ kind: 'birth', mark: op.born[0], by: op.born[1], k: op.k ?? '', a: op.a }]
  return [
    { kind: 'last', t: op.last },
    { kind: 'generation', chain, value: op.gen },
    ...birth,
    ...Object.entries(op.reg).map(([field, [place, value]]): Fact => {
      return { kind: 'register', t: at(place), place: 0, field, value }
    }),
    ...Object.entries(op.grd).map(([field, [gen, place, rank, value]]): Fact => {
      return { kind: 'guarded', t: at(place), field, gen, rank, value }
    }),
    ...Object.entries(op.set).flatMap(([field, elements]) =>
      Object.entries(elements).map(([element, [place, present]]): Fact => {
        return { kind: 'element', t: at(place), place: 0, field, element, present }
      }),
    ),
    ...op.say.map(([mark, by, text]): Fact => ({ kind: 'comment', mark, by, text })),
    ...(op.gone === undefined ? [] : [{ kind: 'gone', t: op.gone } as const]),
    ...Object.entries(op.pur ?? {}).map(([what, t]): Fact => ({ kind: 'purge', t, what })),
  ]
}

/** When each thing was purged last. */
function purgesOf(facts: readonly Fact[]): Record<string, string> {
  const latest: Record<string, string> = {}
  for (const fact of facts) {
    if (fact.kind === 'purge' && fact.t > (latest[fact.what] ?? '')) latest[fact.what] = fact.t
  }
  return latest
}

/** What was written before it was purged is as if it had been written empty; its place stays. */
function scrubbed(fact: Fact, purges: Record<string, string>): Fact[] {
  const isPurged = (what: string, t: string) => purges['*'] !== undefined || t <= (purges[what] ?? '')
  switch (fact.kind) {
    case 'register':
      return [isPurged(`f:${fact.field}`, fact.t) ? { ...fact, value: null } : fact]
    case 'guarded':
      return [
        fact.field !== 'status' && isPurged(`f:${fact.field}`, fact.t) ? { ...fact, value: null } : fact,
      ]
    case 'element':
      return isPurged(`f:${fact.field}`, fact.t) ? [] : [fact]
    case 'comment':
      return [isPurged(`c:${fact.mark}`, fact.mark) ? { ...fact, text: PURGED } : fact]
    default:
      return [fact]
  }
}

function entity(id: string, written: readonly Fact[]): unknown {
  const purges = purgesOf(written)
  const facts = written.flatMap((fact) => scrubbed(fact, purges))
  const of = <K extends Fact['kind']>(kind: K) =>
    facts.filter((fact): fact is Extract<Fact, { kind: K }> => fact.kind === kind)
  const birth = of('birth').sort((x, y) => compare(x.mark, y.mark))[0]
  const generations = of('generation').filter(({ value }) => value > 0)
  const gone = of('gone').map(({ t }) => t)
  return {
    id,
    ...(birth === undefined ? {} : { born: [birth.mark, birth.by], k: birth.k }),
    ...(birth?.a === undefined ? {} : { a: birth.a }),
    gen: Math.max(0, ...generations.map(({ value }) => value)),
    last: of('last')
      .map(({ t }) => t)
      .sort()
      .at(-1),
    reg: Object.fromEntries(
      of('register')
        .sort(byTime)
        .map(({ field, t, value }) => [field, [t, value]]),
    ),
    grd: Object.fromEntries(
      of('guarded')
        .sort(byRank)
        .map(({ field, gen, t, rank, value }) => [field, [gen, t, rank, value]]),
    ),
    set: elements(of('element')),
    say: comments(of('comment')),
    ...(Object.keys(purges).length === 0 ? {} : { pur: purges }),
    ...(gone.length === 0 ? {} : { gone: gone.sort().at(-1) }),
    ch: Object.fromEntries(
      generations.sort((x, y) => x.value - y.value).map(({ chain, value }) => [chain, value]),
    ),
  }
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The last one written wins: it comes last. */
function byTime(x: { t: string; place: number }, y: { t: string; place: number }): number {
  return compare(x.t, y.t) || x.place - y.place
}

/** The highest generation wins, then closed, then the earliest: the winner comes last. */
function byRank(
  x: { gen: number; rank: number; t: string },
  y: { gen: number; rank: number; t: string },
): number {
  return x.gen - y.gen || x.rank - y.rank || compare(y.t, x.t)
}

function elements(facts: Extract<Fact, { kind: 'element' }>[]): Record<string, Record<string, unknown>> {
  const sets: Record<string, Record<string, unknown>> = {}
  for (const { field, element, t, present } of facts.sort(byTime)) {
    sets[field] = Object.fromEntries([...Object.entries(sets[field] ?? {}), [element, [t, present]]])
  }
  return sets
}

/** In order, each once. */
function comments(facts: Extract<Fact, { kind: 'comment' }>[]): unknown[] {
  const sorted = facts.sort((x, y) => compare(x.mark, y.mark))
  return sorted
    .filter(({ mark }, i) => mark !== sorted[i - 1]?.mark)
    .map(({ mark, by, text }) => [mark, by, text])
}
