import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { allLines, beads, claim, copyOf, expectSame, make } from './support/machines.js'
import { type Machine, type SharedRemote, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'
import { bundleWorker, startWorker, type WorkerScript } from './support/workers.js'
import type { SyncOrder } from './workers/sync-worker.js'

interface Scene {
  /** Killed while it syncs. */
  victim: Machine
  others: Machine[]
  expected: string[]
}

/** Both sides have something to send: text in blobs, closed segments, and a base that takes the place of others. */
async function plain(remote: SharedRemote): Promise<Scene> {
  const small = { segmentLimitBytes: 500 }
  const [victim, other] = [await remote.machine(small), await remote.machine(small)]
  for (let i = 0; i < 6; i++) make(other, `o-${i}`)
  await other.sync()
  await victim.sync()
  for (const [machine, name] of [
    [victim, 'v'],
    [other, 'o'],
  ] as const) {
    make(machine, `${name}-late`)
    transact(machine.open(), () => [
      { o: 'set', id: `${name}-late`, f: { description: `${name} `.repeat(40_000) } },
    ])
  }
  claim(victim, 'o-1', 'proj/victim')
  await other.upkeep(small).compact()
  await other.sync()
  return {
    victim,
    others: [other],
    expected: [...Array.from({ length: 6 }, (_, i) => `o-${i}`), 'o-late', 'v-late'],
  }
}

/** The victim's id is in use twice. */
async function twice(remote: SharedRemote): Promise<Scene> {
  const a = await remote.machine()
  make(a, 'x')
  await a.sync()
  const victim = copyOf(a, remote, true)
  onTestFinished(() => victim[Symbol.asyncDispose]())
  make(a, 'a-1')
  await a.sync()
  make(victim, 'v-1')
  claim(victim, 'x', 'proj/victim')
  return { victim, others: [a], expected: ['a-1', 'v-1', 'x'] }
}

/** The victim has a former id, of whose chain only it has the end. */
async function former(remote: SharedRemote): Promise<Scene> {
  const { victim: image, others } = await twice(remote)
  const victim = copyOf(image, remote, false)
  onTestFinished(() => victim[Symbol.asyncDispose]())
  make(victim, 'w-1')
  return { victim, others, expected: ['a-1', 'v-1', 'w-1', 'x'] }
}

/** The victim has a former id that nobody ever sent. */
async function moved(remote: SharedRemote): Promise<Scene> {
  const a = await remote.machine()
  make(a, 'x')
  const victim = copyOf(a, remote, false)
  onTestFinished(() => victim[Symbol.asyncDispose]())
  make(victim, 'v-1')
  return { victim, others: [a], expected: ['v-1', 'x'] }
}

const SCENES: [(remote: SharedRemote) => Promise<Scene>, string[]][] = [
  [
    plain,
    [
      'history:before-import',
      'sync:locked',
      'sync:committed',
      'sync:flushed',
      'sync:pushed',
      'sync:noted',
      'sync:fetched',
      'sync:blob-written',
      'sync:base-written',
      'sync:segment-written',
      'sync:deleted',
      'sync:applied',
      'sync:done',
    ],
  ],
  [
    twice,
    [
      'sync:id-prepared',
      'sync:id-taken',
      'sync:id-sealed',
      'sync:pushed',
      'sync:segment-written',
      'sync:applied',
    ],
  ],
  [former, ['sync:adopted', 'sync:former-adopted', 'sync:segment-written', 'sync:applied', 'sync:done']],
  [moved, ['sync:former-published', 'sync:done']],
]

async function killAt(script: WorkerScript, victim: Machine, url: string, step: string): Promise<void> {
  const order: SyncOrder = { dir: victim.dir, url, step }
  const { child, ended } = startWorker(script, order)
  onTestFinished(() => void child.kill('SIGKILL'))
  const { signal, stderr } = await ended
  expect({ signal, stderr }, step).toEqual({ signal: 'SIGKILL', stderr: '' })
}

describe('a sync killed with -9', () => {
  for (const [scene, steps] of SCENES) {
    for (const step of steps) {
      it(`at ${step} (${scene.name}) loses nothing, doubles nothing, and the next one ends it`, async () => {
        await using script = await bundleWorker('sync-worker')
        await using remote = await sharedRemote()
        const { victim, others, expected } = await scene(remote)
        await killAt(script, victim, remote.dir, step)
        // What is here right after the kill is whole, too.
        for (const id of beads(victim)) expect(expected).toContain(id)
        await victim.sync()
        for (const other of others) await other.sync()
        await victim.sync()
        for (const machine of [victim, ...others]) {
          expect(beads(machine)).toEqual([...expected].sort())
          const lines = allLines(machine)
          expect(new Set(lines).size, 'no line twice').toBe(lines.length)
        }
        expectSame(victim, ...others)
        expect(readdirSync(join(victim.dir, 'local')).filter((name) => name.endsWith('.tmp'))).toEqual([])
        expect(existsSync(join(victim.dir, 'local/next-clone'))).toBe(false)
        expect(await victim.sync()).toMatchObject({ sent: { bytes: 0 }, received: [], refused: [] })
      })
    }
  }
})
