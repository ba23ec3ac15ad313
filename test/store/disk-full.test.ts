import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { dumpStore } from './support/dump.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker, startWorker, type WorkerEnd, type WorkerScript } from './support/workers.js'
import type { FillOrder, FillReport } from './workers/fill-worker.js'

const WRITERS = 4
const COUNT = 60

function orders(store: TempStore, round: string): FillOrder[] {
  return Array.from({ length: WRITERS }, (_, i) => ({ dir: store.dir, name: `${round}${i}`, count: COUNT }))
}

function report({ stdout, stderr }: WorkerEnd): FillReport {
  expect(stderr).toBe('')
  return JSON.parse(stdout) as FillReport
}

/** Every acknowledged mail is there once, no refused one is, and all readers agree. */
function expectHonest(store: TempStore, reports: readonly FillReport[]): void {
  const view = store.open().read()
  const sent = reports.flatMap((one) => one.sent).sort()
  expect(
    view
      .list({ kind: 'mail' })
      .map(({ id }) => id)
      .sort(),
  ).toEqual(sent)
  expect(
    view
      .events()
      .map(({ data }) => data.id)
      .sort(),
  ).toEqual(sent)
  expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
}

describe('a full disk', () => {
  it('refuses writes and says that nothing was recorded; writers go on when there is space', async ({
    skip,
  }) => {
    await using store = await tempStore()
    await using script = await bundleWorker('fill-worker')
    await using mounted = mountSmall(store.log, '128k')
    skip(!mounted.isMounted, 'cannot mount a small file system here (not root)')
    writeFileSync(join(store.log, 'filler'), Buffer.alloc(60_000))

    const full = await Promise.all(
      orders(store, 'full').map(async (order) => report(await startWorker(script, order).ended)),
    )
    const refused = full.flatMap((one) => one.refused)
    expect(refused.length).toBeGreaterThan(20)
    expect([...new Set(refused.map(({ code }) => code))]).toEqual(['disk-full'])
    expect(refused[0]?.message).toContain('nothing was recorded')
    expect(full.flatMap((one) => one.sent).length).toBeGreaterThan(5)
    expectHonest(store, full)

    rmSync(join(store.log, 'filler'))
    const first = await startWorker(script, { dir: store.dir, name: 'again', count: 8 }).ended
    const again = report(first)
    expect(again.refused).toEqual([])
    expectHonest(store, [...full, again])

    mounted.makeReadOnly()
    expect(() => transact(store.open(), () => [{ o: 'ev', type: 'e', data: {} }])).toThrow(
      /EROFS; nothing was recorded/,
    )
    expect(store.open().read().count({ kind: 'mail' })).toBeGreaterThan(5)
  })

  it('stops a compaction, which leaves everything as it was and works when there is space', async ({
    skip,
  }) => {
    await using store = await tempStore({ segmentLimitBytes: 8000 })
    await using mounted = mountSmall(store.log, '128k')
    skip(!mounted.isMounted, 'cannot mount a small file system here (not root)')
    const ledger = store.open()
    for (let i = 0; i < 60; i++) {
      transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f: { title: 'x'.repeat(500) } }])
    }
    writeFileSync(join(store.log, 'filler'), Buffer.alloc(60_000))
    const names = readdirSync(store.log).sort()
    const before = dumpStore(store.dir, 'log only')
    const upkeep = openUpkeep(store.dir)
    await expect(upkeep.compact()).rejects.toMatchObject({ code: 'disk-full', exitCode: 1 })
    expect(readdirSync(store.log).sort()).toEqual(names)
    expect(dumpStore(store.dir, 'log only')).toEqual(before)
    const purging = upkeep.purge({ id: 'b-1', what: ['*'], by: 'human' })
    await expect(purging).rejects.toMatchObject({
      code: 'purge-incomplete',
      message: expect.stringContaining('the purge is recorded'),
    })
    expect(store.open().read().get('b-1')).toBeUndefined()
    rmSync(join(store.log, 'filler'))
    expect(await upkeep.finishPurges()).toBe(1)
    const after = dumpStore(store.dir, 'log only')
    expect(Object.keys(after.entities)).toEqual(Object.keys(before.entities))
    expect({ ...after.entities, 'b-1': 0 }).toEqual({ ...before.entities, 'b-1': 0 })
    expect(JSON.stringify(after.entities['b-1'])).not.toContain('xxx')
  })

  it('is what a limit on file sizes looks like, too', async ({ skip }) => {
    await using store = await tempStore()
    await using script = await bundleWorker('fill-worker')
    const limited = await Promise.all(orders(store, 'limited').map((order) => runLimited(script, order)))
    skip(
      limited.some(({ stderr }) => stderr.includes('ulimit')),
      'this shell cannot set ulimit -f',
    )
    const reports = limited.map(report)
    const refused = reports.flatMap((one) => one.refused)
    expect(refused.length).toBeGreaterThan(20)
    expect([...new Set(refused.map(({ code }) => code))]).toEqual(['disk-full'])
    expectHonest(store, reports)

    const again = report(await startWorker(script, { dir: store.dir, name: 'again', count: 20 }).ended)
    expect(again.refused).toEqual([])
    expectHonest(store, [...reports, again])
  })
})

interface SmallMount extends AsyncDisposable {
  isMounted: boolean
  makeReadOnly(): void
}

function mountSmall(path: string, size: string): SmallMount {
  const run = (...args: string[]) => execFileSync('mount', args, { stdio: 'ignore' })
  let isMounted = true
  try {
    run('-t', 'tmpfs', '-o', `size=${size}`, 'gt-store-test', path)
  } catch {
    isMounted = false
  }
  return {
    isMounted,
    makeReadOnly: () => run('-o', 'remount,ro', path),
    [Symbol.asyncDispose]: async () => {
      if (isMounted) execFileSync('umount', [path])
    },
  }
}

/** Runs the worker with files limited to 40 KiB. The signal is ignored, so that writes fail instead. */
function runLimited(script: WorkerScript, order: FillOrder): Promise<WorkerEnd> {
  const folder = mkdtempSync(join(tmpdir(), 'gt-limit-'))
  const line = 'trap "" XFSZ; ulimit -f 40 || exit 9; exec "$0" "$@"'
  const child = spawn('bash', ['-c', line, process.execPath, script.path, JSON.stringify(order)], {
    cwd: folder,
  })
  const end = { stdout: '', stderr: '' }
  child.stdout.on('data', (data: Buffer) => {
    end.stdout += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    end.stderr += data.toString()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode, signal) => {
      rmSync(folder, { recursive: true, force: true })
      resolve({ exitCode, signal, ...end })
    })
  })
}
