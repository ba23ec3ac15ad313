import { GtError } from '../../../src/domain/errors.js'
import { openLedger } from '../../../src/store/open-ledger.js'
import { readOrder, say } from './order.js'

export interface FillerOrder {
  dir: string
  name: string
  count: number
}

export type FillerSaid = { kind: 'sent'; id: string } | { kind: 'refused'; id: string; code: string }

/** Every so many mails have a body that lies in a blob. */
const BLOB_EVERY = 9

const order = readOrder<FillerOrder>()
const ledger = openLedger(order.dir, { segmentLimitBytes: 16_384 })
for (let i = 0; i < order.count; i++) {
  const id = `${order.name}-${process.pid}-${i}`
  const body = 'x'.repeat(i % BLOB_EVERY === 4 ? 70_000 : (i * 397) % 2500)
  try {
    ledger.transact(order.name, () => ({
      ops: [
        { o: 'new', id, k: 'mail', f: { body } },
        { o: 'ev', type: 'mail.sent', data: { id } },
      ],
    }))
    say({ kind: 'sent', id } satisfies FillerSaid)
  } catch (error) {
    if (!(error instanceof GtError)) throw error
    say({ kind: 'refused', id, code: error.code } satisfies FillerSaid)
  }
  if (i % 13 === 7) ledger.compactCache(true)
}
