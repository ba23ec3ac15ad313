import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ackCount, expectPromisesKept, expectSnapshotEqualsLog, readAcks } from './support/promises.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker, startWorker, type WorkerScript } from './support/workers.js'
import type { Ack, KillOrder } from './workers/kill-worker.js'

/** Every step of writing; blobs and snapshots have steps of their own. */
const STEPS = [
  'before-write',
  'after-write',
  'after-readback',
  'before-sync',
  'after-sync',
  'new-segment',
  'before-seal',
  'after-seal',
  'after-seal-sync',
  'blob:temporary-written',
  'blob:before-rename',
  'blob:after-rename',
  'snapshot:temporary-written',
  'snapshot:before-rename',
  'snapshot:after-rename',
]
const KILLS_PER_STEP = 6
const RANDOM_KILLS = 110
const AT_ONCE = 4
const BEADS = 5

describe('200 processes killed while writing', () => {
  it('lose nothing that was acknowledged and double nothing', async () => {
    await using store = await tempStore()
    await using script = await bundleWorker('kill-worker')
    const beads = Array.from({ length: BEADS }, (_, i) => `bead-${i}`)
    transact(store.open(), () =>
      beads.map((id) => ({ o: 'new' as const, id, k: 'bead' as const, f: { status: 'open' } })),
    )
    const acks = join(store.dir, 'acks')
    mkdirSync(acks)
    const random = new Seeded(1)
    const deaths = shuffled(random, [
      ...STEPS.flatMap((step) => Array.from({ length: KILLS_PER_STEP }, () => step)),
      ...Array.from({ length: RANDOM_KILLS }, () => undefined),
    ])
    expect(deaths.length).toBe(200)
    for (let i = 0; i < deaths.length; i += AT_ONCE) {
      const batch = deaths.slice(i, i + AT_ONCE)
      await Promise.all(
        batch.map((step, j) => runAndKill({ store, script, random, acks, step, number: i + j })),
      )
      if (i % 28 === 0) expectSnapshotEqualsLog(store)
    }
    expectSnapshotEqualsLog(store)
    expectPromisesKept(store, readAcks(acks))
    expectBusy(store, readAcks(acks))
  })
})

interface Death {
  store: TempStore
  script: WorkerScript
  random: Seeded
  acks: string
  step: string | undefined
  number: number
}

async function runAndKill({ store, script, random, acks, step, number }: Death): Promise<void> {
  const path = join(acks, String(number))
  const order: KillOrder = {
    dir: store.dir,
    acks: path,
    name: `proj/w${number}`,
    segmentLimitBytes: 4096,
    beads: BEADS,
    ...(step === undefined ? {} : { step, occurrence: 1 + random.below(step.startsWith('blob') ? 1 : 2) }),
  }
  const { child, ended } = startWorker(script, order)
  // When the test fails or times out, nobody else ends it.
  onTestFinished(() => void child.kill('SIGKILL'))
  if (step === undefined) {
    // After a random number of acknowledgements, then at a random moment of what follows.
    const wanted = random.below(7)
    while (child.exitCode === null && ackCount(path) < wanted) await soon(2)
    await soon(random.below(8))
    child.kill('SIGKILL')
  }
  const { signal, stderr, exitCode } = await ended
  expect({ signal, stderr, exitCode }, `worker ${number} at ${step}`).toEqual({
    signal: 'SIGKILL',
    stderr: '',
    exitCode: null,
  })
}

function soon(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function expectBusy(store: TempStore, acks: readonly Ack[]): void {
  expect(acks.filter(({ kind }) => kind === 'mail').length).toBeGreaterThan(200)
  const { damage } = store.open().read()
  expect(damage.tornLines).toBeGreaterThan(15)
  console.log(
    `${acks.length} acknowledged, ${damage.tornLines} torn lines, ${readdirSync(store.log).length} segments`,
  )
}

function shuffled<T>(random: Seeded, items: readonly T[]): T[] {
  const order = items.map((item) => ({ item, place: random.next() }))
  return order.sort((a, b) => a.place - b.place).map(({ item }) => item)
}
