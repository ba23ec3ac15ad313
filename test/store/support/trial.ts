import type { LogOp, LogRecord } from '../../../src/store/record-line.js'
import { dumpTable } from './dump.js'
import { type Chain, compacted, deliver, randomChains } from './histories.js'
import { modelEntities } from './model.js'
import { Seeded } from './seeded.js'

/** How often one history is folded: in random order, compacted, compacted again. */
const ORDERS = 3

export interface TrialResult {
  records: number
  clones: number
  folds: number
  /** Records that were void because another had the generation first. */
  races: number
  /** What is wrong, in words, and the smallest history that still shows it. */
  failure?: { what: string; chains: Chain[] }
}

/** A random history of 2 to 4 clones, folded in many orders: one state, the model's, and one winner of each generation. */
export function tryHistory(seed: number): TrialResult {
  const random = new Seeded(seed)
  const chains = randomChains(random, 20 + random.below(60))
  const result: TrialResult = {
    records: chains.reduce((sum, { records }) => sum + records.length, 0),
    clones: chains.length,
    folds: ORDERS + 3,
    races: 0,
  }
  const what = findFault(chains, seed, result)
  if (what === undefined) return result
  const smallest = shrink(chains, (fewer) => findFault(fewer, seed, { ...result }) !== undefined)
  return { ...result, failure: { what: findFault(smallest, seed, result) ?? what, chains: smallest } }
}

function findFault(chains: readonly Chain[], seed: number, result: TrialResult): string | undefined {
  const random = new Seeded(seed ^ 0x5eed)
  const first = deliver(chains, random)
  const expected = dumpTable(first.table)
  const model = unequal(expected.entities, modelEntities(chains))
  if (model !== undefined) return `the fold and the model disagree: ${model}`
  for (let order = 0; order < ORDERS; order++) {
    const other = unequal(dumpTable(deliver(chains, random).table), expected)
    if (other !== undefined) return `another order gives another state: ${other}`
  }
  const once = chains.map((chain) => compacted(chain, random.below(chain.records.length + 1)))
  const afterOne = unequal(dumpTable(deliver(once, random).table), expected)
  if (afterOne !== undefined) return `compaction changes the state: ${afterOne}`
  const twice = once.map((chain) => compacted(chain, random.below(chain.records.length + 1)))
  const afterTwo = unequal(dumpTable(deliver(twice, random).table), expected)
  if (afterTwo !== undefined) return `a second compaction changes the state: ${afterTwo}`
  return sharedId(expected.shown) ?? secondWinner(first.verdicts, result)
}

/** @returns the first difference, in words */
function unequal(actual: unknown, expected: unknown): string | undefined {
  const [a = '', b = ''] = [canonical(actual), canonical(expected)]
  if (a === b) return undefined
  let at = 0
  while (a[at] === b[at]) at++
  return `…${a.slice(Math.max(0, at - 100), at + 150)}… is not …${b.slice(Math.max(0, at - 100), at + 150)}…`
}

/** JSON with the keys of every object in one order. */
export function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function sharedId(shown: Record<string, string>): string | undefined {
  const seen = new Map<string, string>()
  for (const [id, form] of Object.entries(shown)) {
    if (seen.has(form)) return `${id} and ${seen.get(form)} are both shown as ${form}`
    if (!id.startsWith(form)) return `${id} is shown as ${form}`
    seen.set(form, id)
  }
  return undefined
}

function secondWinner(verdicts: ReadonlyMap<LogRecord, string>, result: TrialResult): string | undefined {
  const winners = new Map<string, string>()
  for (const [record, verdict] of verdicts) {
    if (verdict === 'void') {
      result.races++
      continue
    }
    for (const op of record.ops as LogOp[]) {
      if (op.o !== 'new' && op.o !== 'move') continue
      const claim = `${op.id} ${op.o === 'new' ? 1 : op.gen} in the chain of ${record.by}`
      if (winners.has(claim)) return `${claim} was won by ${winners.get(claim)} and ${record.t}`
      winners.set(claim, record.t)
    }
  }
  return undefined
}

/** Leaves records out, ever smaller runs of them, as long as what remains still fails. */
export function shrink(chains: readonly Chain[], fails: (chains: Chain[]) => boolean): Chain[] {
  let smallest = [...chains]
  const longest = Math.max(...chains.map(({ records }) => records.length))
  for (let run = Math.max(1, longest >> 1); run >= 1; run >>= 1) {
    for (let which = 0; which < smallest.length; which++) {
      for (let at = 0; at < (smallest[which]?.records.length ?? 0); ) {
        const fewer = smallest.map(({ clone, records }, i) => ({
          clone,
          records: i === which ? [...records.slice(0, at), ...records.slice(at + run)] : records,
        }))
        if (fails(fewer)) smallest = fewer
        else at += run
      }
    }
  }
  return smallest.filter(({ records }) => records.length > 0)
}
