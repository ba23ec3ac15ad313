import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mendAll, problemIds, problems } from './support/doctor.js'
import { dumpStore } from './support/dump.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker, startWorker } from './support/workers.js'
import type { Ack, KillOrder } from './workers/kill-worker.js'
import type { RepairOrder } from './workers/repair-worker.js'

const WRITERS = 8
const BEADS = 5
const ROUNDS = 3

describe('a repair beside 8 writers', () => {
  it('puts lines back in sealed files and in the one being written, and loses none of what is acknowledged meanwhile', {
    timeout: 600_000,
  }, async () => {
    await using store = await tempStore()
    await using script = await bundleWorker('kill-worker')
    transact(store.open(), () =>
      Array.from(
        { length: BEADS },
        (_, i) => ({ o: 'new', id: `bead-${i}`, k: 'bead', f: { status: 'open' } }) as const,
      ),
    )
    const acks = join(store.dir, 'acks')
    mkdirSync(acks)
    const stopFile = join(store.dir, 'stop')
    const writers = Array.from({ length: WRITERS }, (_, i) => {
      const order: KillOrder = {
        dir: store.dir,
        acks: join(acks, String(i)),
        name: `proj/w${i}`,
        segmentLimitBytes: 64_000,
        beads: BEADS,
        stopFile,
      }
      const running = startWorker(script, order)
      onTestFinished(() => void running.child.kill('SIGKILL'))
      return running
    })
    const random = new Seeded(7)
    let newestRewritten = 0
    for (let round = 0; round < ROUNDS; round++) {
      await moreAcks(acks, 40)
      await store.open().commitHistory()
      const newest = [...committedSizes(store).keys()].sort().at(-1) ?? ''
      const damaged = damageMails(store, random, round % 2 === 0 ? newest : undefined)
      expect(damaged).toBeGreaterThan(0)
      const found = (await problems(store.dir)).find(({ id }) => id === 'log-bad-line')
      const done = await found?.fix?.apply()
      expect(done).toEqual({ did: expect.stringContaining('put back'), undo: expect.any(String) })
      if (done?.did.includes(newest)) newestRewritten++
    }
    expect(writers.map(({ child }) => child.exitCode)).toEqual(writers.map(() => null))
    expect(newestRewritten).toBeGreaterThan(0)
    writeFileSync(stopFile, '')
    for (const { ended } of writers) {
      expect(await ended).toMatchObject({ exitCode: 0, signal: null, stderr: '' })
    }
    expectPromisesKept(store, acks)
    // The torn lines that these workers inject are dated long ago.
    await mendAll(store.dir, 'history-behind')
    expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
  })
})

function segments(store: TempStore): string[] {
  return readdirSync(store.log)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
}

/** What the last commit held of each file. */
function committedSizes(store: TempStore): Map<string, number> {
  const { files } = JSON.parse(readFileSync(join(store.dir, 'local/history'), 'utf8')) as {
    files: Record<string, number>
  }
  return new Map(Object.entries(files))
}

async function moreAcks(folder: string, wanted: number): Promise<void> {
  const count = () => readAcks(folder).length
  for (const start = count(); count() < start + wanted; ) await sleep(5)
}

function readAcks(folder: string): Ack[] {
  return readdirSync(folder).flatMap((name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Ack)
  })
}

/** Flips a byte in three lines that made a mail: in place, as a disk would. @returns how many */
function damageMails(store: TempStore, random: Seeded, only: string | undefined): number {
  let damaged = 0
  for (let attempt = 0; damaged < 3 && attempt < 200; attempt++) {
    const [name, size] = random.pick(
      [...committedSizes(store)].filter(([one]) => only === undefined || one === only),
    )
    const path = join(store.log, name)
    const bytes = readFileSync(path).subarray(0, size)
    const starts = [...bytes.toString('latin1').matchAll(/^\{"t":.*"o":"new","id":"mail-.*\n/gm)]
    // Far from the end: a writer's own last lines are what it compares when it looks again.
    const line = starts.length > 3 ? random.pick(starts.slice(0, -3)) : undefined
    if (line === undefined) continue
    const fd = openSync(path, 'r+')
    writeSync(fd, Buffer.from('~'), 0, 1, (line.index ?? 0) + 100 + random.below(20))
    closeSync(fd)
    damaged++
  }
  return damaged
}

function expectPromisesKept(store: TempStore, acks: string): void {
  const view = store.open().read()
  const sent = new Map<unknown, number>()
  for (const { data } of view.events({ type: 'mail.sent' })) sent.set(data.id, (sent.get(data.id) ?? 0) + 1)
  expect([...sent.values()].filter((count) => count !== 1)).toEqual([])
  const claims = new Map<string, string>()
  for (const { data, by } of view.events({ type: 'claimed' })) {
    const claim = `${data.bead} ${data.gen}`
    expect(claims.has(claim), `two winners of ${claim}`).toBe(false)
    claims.set(claim, by)
  }
  const promised = readAcks(acks)
  expect(promised.length).toBeGreaterThan(500)
  for (const ack of promised) {
    if (ack.kind === 'mail') expect(view.get(ack.id)?.kind, `mail ${ack.id}`).toBe('mail')
    else
      expect(ack.by.startsWith(`${claims.get(`${ack.id} ${ack.gen}`)}-`), `${ack.id} ${ack.gen}`).toBe(true)
  }
}

const STEPS = [
  'repair:begun',
  'before-write',
  'after-write',
  'repair:appended',
  'repair:sealed',
  'repair:aside',
  'repair:before-rename',
  'repair:after-rename',
  'repair:cache-dropped',
  'repair:epoch',
  'history:before-import',
  'repair:committed',
]

describe('a repair that is killed', () => {
  for (const step of STEPS) {
    it(`at ${step} leaves nothing worse, and the next one finishes it`, async () => {
      await using store = await tempStore({ segmentLimitBytes: 1500 })
      await using script = await bundleWorker('repair-worker')
      const ledger = store.open()
      for (let i = 0; i < 12; i++) {
        transact(ledger, () => [
          { o: 'new', id: `b-${i}`, k: 'bead', f: { title: `bead ${i}`, status: 'open' } },
        ])
        transact(ledger, () => [{ o: 'move', id: `b-${i}`, gen: 2, f: { status: 'hooked' } }])
      }
      transact(ledger, () => [{ o: 'new', id: 'untouched', k: 'bead', f: { title: 'untouched' } }])
      await ledger.commitHistory()
      ledger.compactCache(true)
      const before = dumpStore(store.dir, 'log only').entities
      flip(store, segments(store)[0], 'bead 1')
      flip(store, segments(store).at(-1), 'bead 11')
      flip(store, segments(store).at(-1), 'untouched')
      const left = Object.keys(dumpStore(store.dir, 'log only').entities)

      const order: RepairOrder = { dir: store.dir, step, occurrence: 1 }
      const { signal, stdout, stderr } = await startWorker(script, order).ended
      expect({ signal, stdout, stderr }).toEqual({ signal: 'SIGKILL', stdout: '', stderr: '' })
      expect(Object.keys(dumpStore(store.dir, 'log only').entities)).toEqual(expect.arrayContaining(left))
      transact(store.open(), () => [{ o: 'new', id: 'after', k: 'bead', f: {} }])
      if (step !== 'repair:committed') expect(await problemIds(store.dir)).toContain('repair-interrupted')

      await mendAll(store.dir)
      const { after: _, ...entities } = dumpStore(store.dir, 'log only').entities
      expect(entities).toEqual(before)
      expect(existsSync(join(store.dir, 'local/repairing'))).toBe(false)
      expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
    })
  }
})

function flip(store: TempStore, name: string | undefined, text: string): void {
  const path = join(store.log, name ?? '')
  const at = readFileSync(path).indexOf(`:"${text}"`) + 1
  expect(at).toBeGreaterThan(0)
  const fd = openSync(path, 'r+')
  writeSync(fd, Buffer.from('x'), 0, 1, at + 2)
  closeSync(fd)
}
