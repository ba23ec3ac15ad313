import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openLedger } from '../../src/store/open-ledger.js'

/**
 * Appends for a while, and beside each append writes and flushes the same number of bytes to a file of its own: the
 * yardstick meets the same disk at the same moment. Prints one JSON line.
 */
export interface AppendOrder {
  dir: string
  name: string
  /** Operations; 0: as many as `seconds` hold. */
  count: number
  seconds: number
  /** Mean pause between operations; 0: none. */
  everyMs: number
  /** Epoch milliseconds; all processes begin together. */
  startMs: number
  /** Leave out the other. */
  only?: 'append' | 'raw'
}

export interface AppendTimes {
  append: number[]
  raw: number[]
}

/** Until the JIT has seen it. */
const WARM_UP = 8
const RECORD_BYTES = 400

const order = JSON.parse(process.argv[2] ?? '{}') as AppendOrder
const ledger = openLedger(order.dir)
ledger.read()
const fd = openSync(join(order.dir, 'local', `raw-${process.pid}`), 'a')
const line = Buffer.alloc(RECORD_BYTES, 'x')

function timed(work: () => unknown): number {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start) / 1e6
}

function pause(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function append(turn: number): void {
  const id = `${order.name}-${process.pid}-${turn}`
  const body = 'x'.repeat(RECORD_BYTES - 200)
  ledger.transact(order.name, () => ({ ops: [{ o: 'new', id, k: 'mail', f: { body } }] }))
}

function writeAndFlush(): void {
  writeSync(fd, line)
  fdatasyncSync(fd)
}

/** Of the mean pause; both kinds of work share it when both are done. */
function share(): number {
  const whole = 0.5 + Math.random()
  return order.only === undefined ? whole / 2 : whole
}

const times: AppendTimes = { append: [], raw: [] }
pause(order.startMs - Date.now())
const end = Date.now() + order.seconds * 1000
for (let i = 0; order.count === 0 ? Date.now() < end : i < order.count; i++) {
  if (order.only !== 'raw') {
    times.append.push(timed(() => append(i)))
    pause(order.everyMs * share())
  }
  if (order.only !== 'append') {
    times.raw.push(timed(writeAndFlush))
    pause(order.everyMs * share())
  }
}
closeSync(fd)
times.append.splice(0, WARM_UP)
times.raw.splice(0, WARM_UP)
process.stdout.write(`${JSON.stringify(times)}\n`)
