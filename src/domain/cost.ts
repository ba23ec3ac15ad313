import {
  money,
  NO_TOKENS,
  TOKEN_KINDS,
  type TokenCounts,
  tokenSum,
  type UsageAccount,
  type UsageRow,
} from './usage.js'

export const COST_KEYS = ['agent', 'bead', 'model', 'day', 'rig'] as const
export type CostKey = (typeof COST_KEYS)[number]

export interface CostSum extends TokenCounts {
  costUsd: number
  /** Answers of models. */
  messages: number
  /** Of it, what coordination cost. */
  coordination: { costUsd: number; tokens: number }
}

export interface CostReport {
  by: CostKey
  /** The dearest first, days in order. */
  rows: (CostSum & { key: string })[]
  total: CostSum
  /** Part of the total that is coordination, 0 to 1; of the tokens when the models cost nothing. */
  coordinationShare: number
}

export interface CostFilter {
  /** `2026-11-21`: accounts are kept by day. */
  sinceDay?: string
  /** Keys of beads. */
  beads?: ReadonlySet<string>
}

/**
 * Coordination is what is spent beside the work itself: everything that agents of roles that do not end with a bead cost
 * (a mayor, crew), and of the others the turns that mail, another agent's nudge or a reminder of gt started.
 * @param isWorker - whether a role takes a bead and ends with it, as a polecat does
 */
export function costReport(
  accounts: readonly UsageAccount[],
  by: CostKey,
  filter: CostFilter,
  isWorker: (role: string) => boolean,
): CostReport {
  const total = noCost()
  const sums = new Map<string, CostSum>()
  for (const account of accounts) {
    if (filter.sinceDay !== undefined && account.day < filter.sinceDay) continue
    for (const row of account.rows) {
      if (filter.beads !== undefined && !filter.beads.has(row.bead)) continue
      const key = by === 'bead' || by === 'model' ? row[by] : account[by]
      const sum = sums.get(key) ?? noCost()
      sums.set(key, sum)
      const isCoordination = row.trigger !== 'work' || !isWorker(account.role)
      for (const one of [sum, total]) add(one, row, isCoordination)
    }
  }
  const rows = [...sums].map(([key, sum]) => ({ key, ...sum }))
  rows.sort((a, b) =>
    by === 'day'
      ? a.key < b.key
        ? -1
        : 1
      : b.costUsd - a.costUsd || tokenSum(b) - tokenSum(a) || (a.key < b.key ? -1 : 1),
  )
  return { by, rows, total, coordinationShare: shareOf(total) }
}

function noCost(): CostSum {
  return { ...NO_TOKENS, costUsd: 0, messages: 0, coordination: { costUsd: 0, tokens: 0 } }
}

function add(sum: CostSum, row: UsageRow, isCoordination: boolean): void {
  for (const kind of TOKEN_KINDS) sum[kind] += row[kind]
  sum.costUsd = money(sum.costUsd + row.costUsd)
  sum.messages += row.messages
  if (!isCoordination) return
  sum.coordination.costUsd = money(sum.coordination.costUsd + row.costUsd)
  sum.coordination.tokens += tokenSum(row)
}

function shareOf(total: CostSum): number {
  if (total.costUsd > 0) return total.coordination.costUsd / total.costUsd
  const tokens = tokenSum(total)
  return tokens === 0 ? 0 : total.coordination.tokens / tokens
}
