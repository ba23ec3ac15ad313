import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Op, PurgeTarget } from '../../src/domain/record.js'
import { segmentName } from '../../src/store/layout.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import type { StoreOptions } from '../../src/store/store-options.js'
import { withFileLock } from '../../src/system/file-lock.js'
import { writeChain } from './support/chain-files.js'
import { dumpStore } from './support/dump.js'
import { syncFiles } from './support/sync-files.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'
import { bundleWorker, startWorker } from './support/workers.js'

const SECRET = 'hunter2-hunter2'
/** Long enough for a blob. */
const LONG_SECRET = `${SECRET} `.repeat(6000)

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function allObjects(store: TempStore): string {
  const args = ['--git-dir', join(store.dir, '.git'), 'cat-file', '--batch', '--batch-all-objects']
  return execFileSync('git', args, { encoding: 'latin1', maxBuffer: 1e9 })
}

/** Where in the store the secret can still be read: files, and what git can give back. */
function findSecret(store: TempStore): string[] {
  const found = filesBelow(store.dir).filter((path) => readFileSync(path, 'latin1').includes(SECRET))
  if (allObjects(store).includes(SECRET)) found.push('git')
  return found.map((path) => path.replace(store.dir, ''))
}

function openCare(store: TempStore, more: StoreOptions = {}) {
  return openUpkeep(store.dir, { sync: 'os', ...more })
}

/** A bead with the secret in every place that there is, in several commits, squashed once. */
async function spill(store: TempStore): Promise<void> {
  const ledger = store.open({ segmentLimitBytes: 2000 })
  transact(ledger, (): Op[] => [
    { o: 'new', id: 'x', k: 'bead', f: { title: 'fine', status: 'open', description: SECRET } },
    { o: 'new', id: 'y', k: 'bead', f: { title: 'another', status: 'open' } },
  ])
  await ledger.commitHistory()
  transact(ledger, (): Op[] => [
    { o: 'say', id: 'x', x: 'harmless' },
    { o: 'say', id: 'x', x: SECRET },
    { o: 'set', id: 'x', f: { notes: LONG_SECRET } },
    { o: 'add', id: 'x', f: 'labels', x: [SECRET, 'red'] },
    { o: 'ev', type: 'test', data: { bead: 'x', reason: SECRET } },
    { o: 'ev', type: 'test', data: { bead: 'y' } },
  ])
  await ledger.commitHistory()
  await openCare(store).packHistory({ squash: true })
  transact(ledger, (): Op[] => [
    { o: 'move', id: 'x', gen: 2, f: { status: 'closed', close_reason: SECRET } },
    { o: 'set', id: 'x', f: { description: 'overwritten' } },
  ])
  await ledger.commitHistory()
  ledger.compactCache(true)
  ledger.close()
}

const EVERYWHERE: PurgeTarget[] = ['f:description', 'f:notes', 'f:labels', 'f:close_reason']

describe('a purge', () => {
  it('of the whole leaves no byte of it, in files, blobs, cache or git, and the rest as it was', async () => {
    await using store = await tempStore()
    await spill(store)
    expect(findSecret(store)).toContain('git')
    expect(findSecret(store).length).toBeGreaterThan(3)
    const request = { id: 'x', what: ['*' as const], by: 'human' }
    const before = filesBelow(store.dir).map((path) => [path, statSync(path).mtimeMs])
    const preview = await openCare(store).previewPurge(request)
    expect(filesBelow(store.dir).map((path) => [path, statSync(path).mtimeMs])).toEqual(before)
    expect(preview).toMatchObject({ values: 8, events: 1, otherClones: [], untouched: [] })
    const done = await openCare(store).purge(request)
    expect(done).toMatchObject({ values: 8, events: 1, blobs: 1 })
    expect(done.commits).toBeGreaterThan(2)
    expect(findSecret(store)).toEqual([])
    const view = store.open().read()
    expect(view.get('x')).toBeUndefined()
    expect(view.get('y')?.fields).toEqual({ title: 'another', status: 'open' })
    expect(view.events({ type: 'test' }).map(({ data }) => data)).toEqual([{ bead: 'y' }])
    expect(() => transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])).toThrow(
      /before it was deleted/,
    )
    execFileSync('git', ['--git-dir', join(store.dir, '.git'), 'fsck', '--strict'])
    expect(await store.open().commitHistory()).toBeUndefined()
    expect(await openCare(store).due()).toEqual([])
    expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
  })

  it('of fields and one comment leaves the entity, and what is written to it later', async () => {
    await using store = await tempStore()
    await spill(store)
    const comment = store.open().read().comments('x')[1]
    await openCare(store).purge({ id: 'x', what: [...EVERYWHERE, `c:${comment?.id ?? ''}`], by: 'human' })
    expect(findSecret(store)).toEqual([])
    const ledger = store.open()
    expect(ledger.read().get('x')).toMatchObject({ fields: { title: 'fine', status: 'closed' }, sets: {} })
    expect(
      ledger
        .read()
        .comments('x')
        .map(({ text }) => text),
    ).toEqual(['harmless', '[purged]'])
    transact(ledger, () => [
      { o: 'set', id: 'x', f: { description: 'new' } },
      { o: 'add', id: 'x', f: 'labels', x: ['blue'] },
    ])
    expect(store.open().read().get('x')).toMatchObject({
      fields: { description: 'new' },
      sets: { labels: ['blue'] },
    })
  })

  it('reaches what other clones wrote, when they take care of their chains', async () => {
    await using here = await tempStore()
    await using there = await tempStore()
    transact(here.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'fine' } }])
    const exchange = () => {
      syncFiles(here.log, there.log, 9999, (name) => name.startsWith(here.clone))
      syncFiles(there.log, here.log, 9999, (name) => name.startsWith(there.clone))
    }
    exchange()
    transact(there.open(), () => [
      { o: 'set', id: 'x', f: { description: SECRET } },
      { o: 'say', id: 'x', x: 'theirs' },
      { o: 'ev', type: 'a', data: { bead: 'x', why: SECRET } },
    ])
    await there.open().commitHistory()
    exchange()
    const done = await openCare(here).purge({ id: 'x', what: ['f:description'], by: 'human' })
    expect(done.otherClones).toEqual([there.clone])
    expect(findSecret(here)).toEqual([`/log/${segmentName(there.clone, 1)}`])
    expect(here.open().read().get('x')?.fields).toEqual({ title: 'fine' })
    expect(await openCare(here).due()).toEqual([])
    exchange()
    expect(await openCare(there).due()).toEqual(['purge'])
    expect(await openCare(there).finishPurges()).toBe(1)
    expect(await openCare(there).due()).toEqual([])
    expect(findSecret(there)).toEqual([])
    exchange()
    expect(findSecret(here)).toEqual([])
    const { damage: _, ...dump } = dumpStore(here.dir, 'log only')
    expect(dumpStore(there.dir, 'log only')).toMatchObject(dump)
    expect(
      there
        .open()
        .read()
        .comments('x')
        .map(({ text }) => text),
    ).toEqual(['theirs'])
  })

  it('also holds for what arrives late from a machine that was away', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'fine' } }])
    await openCare(store).purge({ id: 'x', what: ['f:notes'], by: 'human' })
    writeChain(store.log, 'zzzzz', 1, [
      [new Date(Date.now() - 60_000).toISOString(), { o: 'set', id: 'x', f: { notes: SECRET } }],
    ])
    for (const force of [false, true]) {
      if (force) store.open().compactCache(true)
      expect(store.open().read().get('x')?.fields).toEqual({ title: 'fine' })
    }
    expect(findSecret(store)).toEqual([`/log/${segmentName('zzzzz', 1)}`])
  })

  it('that was killed at any step is finished later', async () => {
    await using script = await bundleWorker('purge-worker')
    const steps = ['purge:recorded', 'purge:rewritten', 'compact:named', 'purge:cleaned', 'history:archived']
    for (const step of steps) {
      await using store = await tempStore()
      await spill(store)
      const { ended } = startWorker(script, { dir: store.dir, id: 'x', step })
      expect(await ended, step).toMatchObject({ signal: 'SIGKILL', stderr: '' })
      expect(store.open().read().get('x'), step).toBeUndefined()
      expect(await openCare(store).due(), step).toContain('purge')
      expect(await openCare(store).finishPurges(), step).toBe(1)
      expect(findSecret(store), step).toEqual([])
      expect(await openCare(store).due(), step).toEqual([])
    }
  })

  it('says so when a damaged file keeps it from being whole', async () => {
    await using store = await tempStore()
    await spill(store)
    const path = join(store.log, segmentName(store.clone, 1))
    writeFileSync(path, readFileSync(path, 'utf8').replace('another', 'anotter'))
    const purging = openCare(store).purge({ id: 'x', what: ['*'], by: 'human' })
    await expect(purging).rejects.toMatchObject({ code: 'purge-incomplete', exitCode: 1 })
    expect(store.open().read().get('x')).toBeUndefined()
    expect(await openCare(store).due()).toContain('purge')
  })

  it('waits for an exchange that runs', async () => {
    await using store = await tempStore()
    await spill(store)
    const order: string[] = []
    const care = openCare(store, { onStep: (step) => void order.push(step) })
    let purging: Promise<unknown> = Promise.resolve()
    await withFileLock(join(store.dir, `local/sync-${store.clone}.lock`), { timeoutMs: 1000 }, async () => {
      purging = care.purge({ id: 'x', what: ['*'], by: 'human' })
      while (!order.includes('purge:recorded')) await sleep(10)
      await sleep(100)
      order.push('exchanged')
    })
    await purging
    expect(order.indexOf('exchanged')).toBeLessThan(order.indexOf('purge:rewritten'))
    expect(findSecret(store)).toEqual([])
  })

  it('loses nothing that others write meanwhile', async () => {
    await using store = await tempStore()
    await spill(store)
    const ledger = store.open()
    const onStep = () => transact(ledger, () => [{ o: 'say', id: 'y', x: 'more' }])
    let steps = 0
    const count = (step: string) => {
      if (!/^(compact|purge|history)/.test(step)) return
      steps++
      onStep()
    }
    await openCare(store, { onStep: count }).purge({ id: 'x', what: ['*'], by: 'human' })
    expect(steps).toBeGreaterThan(8)
    expect(store.open().read().comments('y')).toHaveLength(steps)
    expect(findSecret(store)).toEqual([])
    await store.open().commitHistory()
    execFileSync('git', ['--git-dir', join(store.dir, '.git'), 'fsck', '--strict'])
  })
})
