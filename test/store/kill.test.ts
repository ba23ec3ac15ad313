import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dumpStore } from './support/dump.js'
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

function ackCount(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

function readAcks(folder: string): Ack[] {
  return readdirSync(folder).flatMap((name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Ack)
  })
}

function expectSnapshotEqualsLog(store: TempStore): void {
  expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
}

function expectPromisesKept(store: TempStore, acks: readonly Ack[]): void {
  const view = store.open().read()
  const sent = new Map<unknown, number>()
  for (const { data } of view.events({ type: 'mail.sent' })) sent.set(data.id, (sent.get(data.id) ?? 0) + 1)
  expect(
    [...sent.values()].filter((count) => count !== 1),
    'mails sent twice',
  ).toEqual([])
  expect(view.count({ kind: 'mail' }), 'a mail and its event come together').toBe(sent.size)

  const claims = new Map<string, string>()
  for (const { data, by } of view.events({ type: 'claimed' })) {
    const claim = `${data.bead} ${data.gen}`
    expect(claims.has(claim), `two winners of ${claim}`).toBe(false)
    claims.set(claim, by)
  }
  let mails = 0
  for (const ack of acks) {
    if (ack.kind === 'mail') {
      mails++
      expect(sent.has(ack.id), `acknowledged mail ${ack.id}`).toBe(true)
      expect(view.get(ack.id)?.kind).toBe('mail')
    } else
      expect(
        ack.by.startsWith(`${claims.get(`${ack.id} ${ack.gen}`)}-`),
        `claim of ${ack.id} ${ack.gen}`,
      ).toBe(true)
  }
  expect(mails).toBeGreaterThan(200)
  expect(view.damage.tornLines).toBeGreaterThan(15)
  console.log(
    `${acks.length} acknowledged, ${view.damage.tornLines} torn lines, ${readdirSync(store.log).length} segments`,
  )
}

function shuffled<T>(random: Seeded, items: readonly T[]): T[] {
  const order = items.map((item) => ({ item, place: random.next() }))
  return order.sort((a, b) => a.place - b.place).map(({ item }) => item)
}
