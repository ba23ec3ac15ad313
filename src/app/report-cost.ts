import { type CostKey, type CostReport, costReport } from '../domain/cost.js'
import { usageAccountFrom } from '../domain/usage.js'
import { findBead, getBead, getConvoy } from './find-entity.js'
import type { Town } from './town.js'

export interface CostQuery {
  by: CostKey
  /** ISO; the whole day (UTC) that it falls into counts. */
  since?: string
  bead?: string
  convoy?: string
}

/**
 * What the models of this town cost, as their programs reported it.
 * @throws NotFoundError for an unknown bead or convoy
 */
export function reportCost(town: Town, query: CostQuery): CostReport {
  const view = town.ledger.read()
  const beads = [
    ...(query.bead === undefined ? [] : [getBead(view, query.bead).id as string]),
    ...(query.convoy === undefined ? [] : getConvoy(view, query.convoy).beads),
  ]
  const isFiltered = query.bead !== undefined || query.convoy !== undefined
  const report = costReport(
    view.list({ kind: 'usage' }).map(usageAccountFrom),
    query.by,
    {
      ...(query.since === undefined ? {} : { sinceDay: query.since.slice(0, 10) }),
      ...(isFiltered ? { beads: new Set(beads) } : {}),
    },
    (role) => (town.config.roles[role]?.ends ?? (role === 'polecat' ? 'done' : 'never')) === 'done',
  )
  if (query.by !== 'bead') return report
  return {
    ...report,
    rows: report.rows.map((row) => ({ ...row, key: findBead(view, row.key)?.shownId ?? row.key })),
  }
}
