import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Op } from '../../../src/domain/record.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { encodeRecord } from '../../../src/store/record-line.js'
import { readOrder } from './order.js'

export interface KillOrder {
  dir: string
  /** Acknowledgements are appended here, one line each, after `transact` returned. */
  acks: string
  name: string
  segmentLimitBytes: number
  beads: number
  /** Die at this step... */
  step?: string
  /** ...when it is reached for this time. */
  occurrence?: number
  /** Goes on, at a human pace, until this file is there, instead of as fast as it can until it dies. */
  stopFile?: string
}

/** What a worker was promised. */
export type Ack = { kind: 'mail'; id: string } | { kind: 'claim'; id: string; gen: number; by: string }

const order = readOrder<KillOrder>()
let passes = 0
const ledger = openLedger(order.dir, {
  segmentLimitBytes: order.segmentLimitBytes,
  onStep: (step) => {
    if (step === order.step && ++passes === order.occurrence) die()
  },
})

function die(): void {
  if (Math.random() < 0.3) injectTorn()
  process.kill(process.pid, 'SIGKILL')
}

/** What a writer leaves that a full disk or a power cut stopped in the middle of its line. */
function injectTorn(): void {
  const line = encodeRecord(`2026-11-20T09:00:00.000Z-0000-aaaaa-aaaaaa`, order.name, [
    { o: 'ev', type: 'torn', data: { text: 'x'.repeat(Math.floor(Math.random() * 300)) } },
  ])
  const names = readdirSync(join(order.dir, 'log')).sort()
  const newest = names.findLast((name) => /-\d{6}\.jsonl$/.test(name))
  if (newest === undefined) return
  appendFileSync(
    join(order.dir, 'log', newest),
    line.subarray(0, 1 + Math.floor(Math.random() * (line.length - 3))),
  )
}

function acknowledge(ack: Ack): void {
  appendFileSync(order.acks, `${JSON.stringify(ack)}\n`)
}

const PACE_MS = 20

function mayGoOn(turn: number): boolean {
  if (order.stopFile === undefined) return turn < 400
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PACE_MS)
  return !existsSync(order.stopFile)
}

// Far more than any death takes: a step that is never reached must not hang the test.
for (let turn = 0; mayGoOn(turn); turn++) {
  const id = `mail-${order.name}-${process.pid}-${turn}`
  const long = turn % 13 === 1 ? id + 'b'.repeat(66_000) : 'short'.repeat(turn % 40)
  ledger.transact(order.name, () => ({
    ops: [
      { o: 'new', id, k: 'mail', f: { status: 'unread', body: long } },
      { o: 'ev', type: 'mail.sent', data: { id } },
    ],
  }))
  acknowledge({ kind: 'mail', id })

  const bead = `bead-${Math.floor(Math.random() * order.beads)}`
  const claim = ledger.transact(order.name, (view) => {
    const gen = (view.get(bead)?.generation ?? 0) + 1
    const ops: Op[] = [
      { o: 'move', id: bead, gen, f: { status: 'hooked', assignee: `${order.name}-${process.pid}` } },
      { o: 'ev', type: 'claimed', data: { bead, gen } },
    ]
    return { gen, ops }
  })
  acknowledge({ kind: 'claim', id: bead, gen: claim.gen, by: `${order.name}-${process.pid}` })

  if (turn % 11 === 7) injectTorn()
  if (turn % 9 === 2) ledger.compactCache(true)
}
