import type { Decision } from '../../../src/ports/ledger.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { pause, readOrder, say, waitForStart } from './order.js'

export interface ClaimerOrder {
  dir: string
  start: string
  /** An agent that exists. */
  name: string
  beads: string[]
  /** Epoch milliseconds of the first bead's moment, and how far apart the moments are. */
  firstMs: number
  everyMs: number
  segmentLimitBytes: number
  isDurable: boolean
}

export type ClaimerSaid =
  | { kind: 'ready' }
  | { kind: 'won'; id: string }
  | { kind: 'made'; id: string }
  | { kind: 'met'; attempts: number }

interface Claim extends Decision {
  isMine: boolean
}

const order = readOrder<ClaimerOrder>()
const ledger = openLedger(order.dir, {
  segmentLimitBytes: order.segmentLimitBytes,
  sync: order.isDurable ? 'full' : 'os',
})
let attempts = 0

/** Everybody has seen that the bead is free; nobody writes before the moment comes. */
function waitForMoment(turn: number): void {
  const wait = order.firstMs + turn * order.everyMs - Date.now()
  if (wait > 0) pause(wait)
}

function claim(id: string, turn: number): boolean {
  return ledger.transact(order.name, (view): Claim => {
    const bead = view.get(id)
    const agent = view.get(order.name)
    if (bead?.fields.status !== 'open' || agent === undefined) return { isMine: false }
    waitForMoment(turn)
    attempts++
    return {
      isMine: true,
      ops: [
        { o: 'move', id, gen: bead.generation + 1, f: { status: 'hooked', assignee: order.name } },
        { o: 'move', id: order.name, gen: agent.generation + 1, f: { hook: id } },
        { o: 'say', id, x: `claimed by ${order.name}` },
        { o: 'ev', type: 'claimed', data: { id, by: order.name } },
      ],
    }
  }).isMine
}

/** Of many that create the same id one makes it, and the others see that it is there. */
function make(id: string, turn: number): boolean {
  return ledger.transact(order.name, (view): Claim => {
    if (view.get(id) !== undefined) return { isMine: false }
    waitForMoment(turn)
    attempts++
    return { isMine: true, ops: [{ o: 'new', id, k: 'bead', f: { title: order.name } }] }
  }).isMine
}

ledger.read()
waitForStart(order.start)
for (const [turn, id] of order.beads.entries()) {
  if (claim(id, turn)) say({ kind: 'won', id } satisfies ClaimerSaid)
  if (turn % 10 === 0 && make(`made-${id}`, turn))
    say({ kind: 'made', id: `made-${id}` } satisfies ClaimerSaid)
}
say({ kind: 'met', attempts } satisfies ClaimerSaid)
