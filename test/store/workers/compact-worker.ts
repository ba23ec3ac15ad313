import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { readOrder } from './order.js'

export interface CompactOrder {
  dir: string
  segmentLimitBytes: number
  baseLimitBytes: number
  /** Die at this step... */
  step?: string
  /** ...when it is reached for this time. */
  occurrence?: number
}

const order = readOrder<CompactOrder>()
let passes = 0
const upkeep = openUpkeep(order.dir, {
  segmentLimitBytes: order.segmentLimitBytes,
  baseLimitBytes: order.baseLimitBytes,
  onStep: (step) => {
    if (step === order.step && ++passes === order.occurrence) process.kill(process.pid, 'SIGKILL')
  },
})
process.stdout.write('ready\n')
process.stdout.write(`${JSON.stringify(await upkeep.compact())}\n`)
