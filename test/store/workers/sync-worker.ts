import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { readOrder } from './order.js'

export interface SyncOrder {
  dir: string
  url: string
  /** This process ends itself with SIGKILL there. */
  step: string
}

const order = readOrder<SyncOrder>()
const onStep = (step: string) => {
  if (step === order.step) process.kill(process.pid, 'SIGKILL')
}
const upkeep = openUpkeep(order.dir, { sync: 'os', onStep })
await upkeep.sync({
  remote: { url: order.url, refs: 'branches' },
  timeoutMs: 60_000,
  waitMs: 60_000,
})
