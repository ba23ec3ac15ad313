import { appendGarbage } from './garbage.js'
import { pause, readOrder, say } from './order.js'

export interface InjectorOrder {
  log: string
  everyMs: number
}

const order = readOrder<InjectorOrder>()
for (;;) {
  if (appendGarbage(order.log)) say({ kind: 'garbage' })
  pause(Math.random() * order.everyMs * 2)
}
