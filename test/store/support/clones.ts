import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { listLog, storePaths } from '../../../src/store/layout.js'
import { openLedger, type StoreLedger } from '../../../src/store/open-ledger.js'
import { openUpkeep } from '../../../src/store/open-upkeep.js'
import type { StoreOptions } from '../../../src/store/store-options.js'

const NEWLINE = 10
/** Small, so that short histories have many segments and bases of several files. */
const LIMITS: StoreOptions = { segmentLimitBytes: 1200, baseLimitBytes: 3000, sync: 'os' }

/** Own files of a clone at one moment, as an exchange would publish them. */
export type Published = ReadonlyMap<string, Buffer>

/** A store of its own machine: a clock that can be wrong, and two processes that know nothing of each other. */
export class TestClone {
  readonly dir: string
  readonly ledgers: [StoreLedger, StoreLedger]
  readonly #options: StoreOptions
  skewMs = 0

  constructor(dir: string, now: () => number) {
    this.dir = dir
    const { log, blob, cache, local } = storePaths(dir)
    for (const folder of [log, blob, cache, local]) mkdirSync(folder, { recursive: true })
    this.#options = { ...LIMITS, clock: { now: () => now() + this.skewMs } }
    this.ledgers = [this.open(), this.open()]
  }

  open(): StoreLedger {
    return openLedger(this.dir, this.#options)
  }

  get clone(): string {
    return this.ledgers[0].clone ?? ''
  }

  async compact(): Promise<number> {
    return (await openUpkeep(this.dir, this.#options).compact()).segments
  }

  /** Each own file up to its last whole line. */
  publish(): Published {
    const { log } = storePaths(this.dir)
    const own = readdirSync(log).filter((name) => name.startsWith(`${this.clone}-`))
    return new Map(
      own.map((name) => {
        const bytes = readFileSync(join(log, name))
        return [name, bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1)]
      }),
    )
  }

  /** Bases first, then segments, then what is no longer there goes: a reader may look in between. */
  receive(from: string, published: Published, look: () => void): void {
    const { log } = storePaths(this.dir)
    const names = [...published.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    for (const name of names) {
      writeFileSync(join(log, `.${name}.tmp`), published.get(name) ?? '')
      renameSync(join(log, `.${name}.tmp`), join(log, name))
      look()
    }
    for (const name of readdirSync(log)) {
      if (name.startsWith(`${from}-`) && !published.has(name)) rmSync(join(log, name))
    }
  }

  get hasSnapshot(): boolean {
    return readdirSync(storePaths(this.dir).cache).includes('snap')
  }

  get fileCount(): number {
    const files = listLog(storePaths(this.dir).log).get(this.clone)
    return (files?.segments.length ?? 0) + (files?.bases.length ?? 0)
  }

  close(): void {
    for (const ledger of this.ledgers) ledger.close()
  }
}

function rank(name: string): number {
  return name.includes('.base') ? 0 : 1
}
