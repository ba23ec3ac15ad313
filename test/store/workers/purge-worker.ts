import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { readOrder } from './order.js'

export interface PurgeOrder {
  dir: string
  id: string
  /** Die at this step. */
  step: string
}

const order = readOrder<PurgeOrder>()
const upkeep = openUpkeep(order.dir, {
  onStep: (step) => {
    if (step === order.step) process.kill(process.pid, 'SIGKILL')
  },
})
await upkeep.purge({ id: order.id, what: ['*'], by: 'human' })
