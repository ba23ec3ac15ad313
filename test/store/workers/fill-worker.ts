import { GtError } from '../../../src/domain/errors.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { readOrder } from './order.js'

export interface FillOrder {
  dir: string
  name: string
  count: number
}

export interface FillReport {
  sent: string[]
  /** Ids that were refused, with the error's code and message. */
  refused: { id: string; code: string; message: string }[]
}

const order = readOrder<FillOrder>()
const ledger = openLedger(order.dir)
const report: FillReport = { sent: [], refused: [] }
for (let i = 0; i < order.count; i++) {
  const id = `${order.name}-${i}`
  try {
    ledger.transact(order.name, () => ({
      ops: [
        { o: 'new', id, k: 'mail', f: { body: 'x'.repeat((i * 397) % 2500) } },
        { o: 'ev', type: 'mail.sent', data: { id } },
      ],
    }))
    report.sent.push(id)
  } catch (error) {
    if (!(error instanceof GtError)) throw error
    report.refused.push({ id, code: error.code, message: error.message })
  }
}
process.stdout.write(JSON.stringify(report))
