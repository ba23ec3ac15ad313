import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { segmentName } from '../../../src/store/layout.js'
import { encodeRecord, type LogOp } from '../../../src/store/record-line.js'
import type { Chain } from './histories.js'
import type { Seeded } from './seeded.js'

/** Writes chains into a log bit by bit, in segments of random length, with what dying writers leave in between. */
export class ChainsOnDisk {
  readonly #log: string
  readonly #random: Seeded
  readonly #chains: { chain: Chain; next: number; segment: number; last: string }[]

  constructor(log: string, chains: readonly Chain[], random: Seeded) {
    this.#log = log
    this.#random = random
    this.#chains = chains.map((chain) => ({ chain, next: 0, segment: 1, last: '' }))
  }

  get isDone(): boolean {
    return this.#chains.every(({ chain, next }) => next >= chain.records.length)
  }

  /** The next few records of one chain. */
  writeSome(): void {
    const state = this.#random.pick(this.#chains)
    for (let count = 1 + this.#random.below(6); count > 0; count--) {
      const record = state.chain.records[state.next]
      if (record === undefined) return
      state.next++
      state.last = record.t
      this.#append(state, encodeRecord(record.t, record.by, record.ops as LogOp[]))
      if (this.#random.chance(0.15)) this.#append(state, Buffer.from('{"t":"2026-11-20T09\n'))
      if (this.#random.chance(0.3)) this.#close(state)
    }
  }

  /** With its seal, or as a power cut may leave it. */
  #close(state: { chain: Chain; segment: number; last: string }): void {
    if (this.#random.chance(0.8)) this.#append(state, encodeRecord(state.last, 'gt', [{ o: 'seal' }]))
    else if (this.#random.chance(0.5)) this.#append(state, Buffer.from('{"t":"2026-1'))
    state.segment++
    this.#append(state, encodeRecord(state.last, 'gt', [{ o: 'head', format: 1 }]))
  }

  #append({ chain, segment }: { chain: Chain; segment: number }, bytes: Buffer): void {
    appendFileSync(join(this.#log, segmentName(chain.clone, segment)), bytes)
  }
}
