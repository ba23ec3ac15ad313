import { openUpkeep } from '../../../src/store/open-upkeep.js'
import { readOrder } from './order.js'

export interface RepairOrder {
  dir: string
  /** Die at this step... */
  step: string
  /** ...when it is reached for this time. */
  occurrence: number
}

const order = readOrder<RepairOrder>()
let passes = 0
const upkeep = openUpkeep(order.dir, {
  sync: 'os',
  onStep: (step) => {
    if (step === order.step && ++passes === order.occurrence) process.kill(process.pid, 'SIGKILL')
  },
})
const found = await upkeep.check({})
const fixes = new Set(found.flatMap(({ severity, fix }) => (severity === 'error' && fix ? [fix] : [])))
for (const fix of fixes) await fix.apply()
process.stdout.write(`done after ${passes}`)
