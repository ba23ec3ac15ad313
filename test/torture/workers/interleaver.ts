import { tryHistory } from '../../store/support/trial.js'
import { readOrder, say } from './order.js'

export interface InterleaverOrder {
  firstSeed: number
  count: number
}

export type InterleaverSaid =
  | { kind: 'sum'; trials: number; records: number; folds: number; races: number }
  | { kind: 'failure'; seed: number; what: string; chains: string }

const SAY_EVERY = 50
const MAX_FAILURES = 3

const order = readOrder<InterleaverOrder>()
let sum = { kind: 'sum' as const, trials: 0, records: 0, folds: 0, races: 0 }
let failures = 0
for (let i = 0; i < order.count && failures < MAX_FAILURES; i++) {
  const seed = order.firstSeed + i
  const { records, folds, races, failure } = tryHistory(seed)
  sum.trials++
  sum.records += records
  sum.folds += folds
  sum.races += races
  if (failure !== undefined) {
    failures++
    say({ kind: 'failure', seed, what: failure.what, chains: JSON.stringify(failure.chains) })
  }
  if (sum.trials < SAY_EVERY && i < order.count - 1) continue
  say(sum)
  sum = { kind: 'sum', trials: 0, records: 0, folds: 0, races: 0 }
}
