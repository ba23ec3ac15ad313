import type { Decision } from '../../../src/ports/ledger.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { readOrder, waitForStart } from './order.js'

export interface ClaimOrder {
  dir: string
  start: string
  name: string
  beads: string[]
  /** Ids that all try to create. */
  made: string[]
  segmentLimitBytes: number
}

export interface ClaimReport {
  claimed: string[]
  created: string[]
}

interface Claim extends Decision {
  isMine: boolean
}

const order = readOrder<ClaimOrder>()
const ledger = openLedger(order.dir, { segmentLimitBytes: order.segmentLimitBytes })
ledger.read()
waitForStart(order.start)
const report: ClaimReport = { claimed: [], created: [] }
for (const [turn, id] of order.beads.entries()) {
  const claim = ledger.transact(order.name, (view): Claim => {
    const bead = view.get(id)
    const agent = view.get(order.name)
    if (bead?.fields.status !== 'open' || agent === undefined) return { isMine: false }
    return {
      isMine: true,
      ops: [
        { o: 'move', id, gen: bead.generation + 1, f: { status: 'hooked', assignee: order.name } },
        { o: 'move', id: order.name, gen: agent.generation + 1, f: { hook: id } },
        { o: 'say', id, x: `claimed by ${order.name}` },
      ],
    }
  })
  if (claim.isMine) report.claimed.push(id)
  const made = order.made[turn]
  if (made === undefined) continue
  const creation = ledger.transact(
    order.name,
    (view): Claim =>
      view.get(made) === undefined
        ? { isMine: true, ops: [{ o: 'new', id: made, k: 'bead', f: { title: order.name } }] }
        : { isMine: false },
  )
  if (creation.isMine) report.created.push(made)
}
process.stdout.write(`${JSON.stringify(report)}\n`)
