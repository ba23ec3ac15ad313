import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Op } from '../../src/domain/record.js'
import type { View } from '../../src/ports/ledger.js'
import { openLedger } from '../../src/store/open-ledger.js'

/** One of many processes that write to a clone. Each record carries an event that names it, so that it can be counted. */
export interface WriterOrder {
  dir: string
  name: string
  beads: string[]
  seconds: number
  /** Written even when the time is over: a busy machine may not let a process run before. */
  leastRecords: number
  segmentLimitBytes: number
  /** Gets the names of the records that were acknowledged, one a line. */
  acks: string
}

const order = JSON.parse(process.argv[2] ?? '{}') as WriterOrder
const ledger = openLedger(order.dir, { segmentLimitBytes: order.segmentLimitBytes, sync: 'os' })
const acknowledged: string[] = []
process.stdout.write('ready\n')
// All start together, once the last of them has loaded.
await new Promise((resolve) => process.stdin.once('data', resolve))
process.stdin.destroy()
const untilMs = Date.now() + order.seconds * 1000
for (let n = 0; n < order.leastRecords || Date.now() < untilMs; n++) {
  const record = `${order.name}-${n}`
  ledger.transact(order.name, (view) => ({
    ops: [...change(view, record, n), { o: 'ev', type: 'bench.record', data: { record } } satisfies Op],
  }))
  acknowledged.push(record)
  await sleep(20 + Math.random() * 60)
}
writeFileSync(order.acks, acknowledged.map((record) => `${record}\n`).join(''))

function change(view: View, record: string, n: number): Op[] {
  const bead = order.beads[Math.floor(Math.random() * order.beads.length)] ?? ''
  const generation = view.get(bead)?.generation ?? 0
  switch (n % 4) {
    case 0:
      return [
        {
          o: 'new',
          id: `mail-${record}`,
          k: 'mail',
          f: { status: 'unread', assignee: 'human', subject: record },
        },
      ]
    case 1:
      return [{ o: 'move', id: bead, gen: generation + 1, f: { status: 'hooked', assignee: order.name } }]
    case 2:
      return [{ o: 'set', id: bead, f: { title: record } }]
    default:
      return [
        { o: 'add', id: bead, f: 'labels', x: [order.name] },
        { o: 'say', id: bead, x: record },
      ]
  }
}
