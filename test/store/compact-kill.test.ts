import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { ackCount, expectPromisesKept, expectSnapshotEqualsLog, readAcks } from './support/promises.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker, type RunningWorker, startWorker, type WorkerScript } from './support/workers.js'
import type { CompactOrder } from './workers/compact-worker.js'
import type { KillOrder } from './workers/kill-worker.js'

const STEPS = [
  'compact:written',
  'compact:proved',
  'compact:renamed',
  'compact:named',
  'compact:before-delete',
  'compact:deleted',
]
const KILLS_PER_STEP = 1
const RANDOM_KILLS = 4
const WRITERS = 3
const BEADS = 5
const SEGMENT_LIMIT_BYTES = 4096
const BASE_LIMIT_BYTES = 20_000

/**
 * Writers append, claim, read and hold files open all the time, and some are killed; compaction runs again and again
 * below them, and dies at each of its steps.
 */
describe('compactions killed at every step under busy writers', () => {
  it('lose nothing that was acknowledged and double nothing', async () => {
    await using store = await tempStore()
    await using writing = await bundleWorker('kill-worker')
    await using compacting = await bundleWorker('compact-worker')
    const beads = Array.from({ length: BEADS }, (_, i) => `bead-${i}`)
    transact(store.open(), () =>
      beads.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    )
    const acks = join(store.dir, 'acks')
    mkdirSync(acks)
    const random = new Seeded(7)
    const writers = new Writers(store, writing, acks)
    const deaths = [...STEPS.flatMap((step) => Array.from({ length: KILLS_PER_STEP }, () => step))]
    for (let i = 0; i < RANDOM_KILLS; i++) deaths.splice(random.below(deaths.length), 0, 'any moment')
    let died = 0
    for (const [i, step] of deaths.entries()) {
      await writers.keepBusy(random.chance(0.2))
      if (await killedAt(store, compacting, step, random)) died++
      if (i % 5 === 0) await compactHere(store)
    }
    await writers.stop()
    expect(died).toBeGreaterThan(deaths.length * 0.7)
    expectSnapshotEqualsLog(store, 'torn lines apart')
    expectPromisesKept(store, readAcks(acks))
    expect((await openUpkeep(store.dir).compact()).stopped).toBeUndefined()
    expectPromisesKept(store, readAcks(acks))
    const names = readdirSync(store.log)
    console.log(
      `${readAcks(acks).length} acknowledged, ${died} compactions killed, ${names.length} files left, last number ${names.sort().at(-1)}`,
    )
  })
})

async function killedAt(
  store: TempStore,
  script: WorkerScript,
  step: string,
  random: Seeded,
): Promise<boolean> {
  const order: CompactOrder = {
    dir: store.dir,
    segmentLimitBytes: SEGMENT_LIMIT_BYTES,
    baseLimitBytes: BASE_LIMIT_BYTES,
    ...(step === 'any moment'
      ? {}
      : { step, occurrence: 1 + random.below(step === 'compact:renamed' ? 3 : 1) }),
  }
  const { child, ended } = startWorker(script, order)
  onTestFinished(() => void child.kill('SIGKILL'))
  if (step === 'any moment') {
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    await new Promise((resolve) => setTimeout(resolve, random.below(60)))
    child.kill('SIGKILL')
  }
  const { signal, stderr } = await ended
  expect(stderr, step).toBe('')
  return signal === 'SIGKILL'
}

async function compactHere(store: TempStore): Promise<void> {
  await openUpkeep(store.dir, { baseLimitBytes: BASE_LIMIT_BYTES }).compact()
}

class Writers {
  readonly #store: TempStore
  readonly #script: WorkerScript
  readonly #acks: string
  #running: (RunningWorker & { acks: string; hasEnded: boolean })[] = []
  #count = 0

  constructor(store: TempStore, script: WorkerScript, acks: string) {
    this.#store = store
    this.#script = script
    this.#acks = acks
  }

  /** Waits until each has written some more. */
  async keepBusy(killOne: boolean): Promise<void> {
    if (killOne) this.#running[0]?.child.kill('SIGKILL')
    this.#running = this.#running.filter(({ hasEnded, child }) => !hasEnded && !child.killed)
    while (this.#running.length < WRITERS) this.#start()
    const wanted = this.#running.map(({ acks }) => ackCount(acks) + 8)
    for (const [i, worker] of this.#running.entries()) {
      while (!worker.hasEnded && ackCount(worker.acks) < (wanted[i] ?? 0)) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  #start(): void {
    const number = this.#count++
    const acks = join(this.#acks, String(number))
    const order: KillOrder = {
      dir: this.#store.dir,
      acks,
      name: `proj/w${number}`,
      segmentLimitBytes: SEGMENT_LIMIT_BYTES,
      beads: BEADS,
    }
    const worker = { ...startWorker(this.#script, order), acks, hasEnded: false }
    onTestFinished(() => void worker.child.kill('SIGKILL'))
    void worker.ended.then(({ stderr }) => {
      worker.hasEnded = true
      expect(stderr).toBe('')
    })
    this.#running.push(worker)
  }

  async stop(): Promise<void> {
    for (const { child } of this.#running) child.kill('SIGKILL')
    await Promise.all(this.#running.map(({ ended }) => ended))
  }
}
