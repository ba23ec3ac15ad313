import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { writeChain } from './support/chain-files.js'
import { compactNow } from './support/compact-now.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const LONG = 'long text '.repeat(8000)
const DAYS_AGO = Date.now() / 1000 - 3 * 86_400

function blobs(store: TempStore): string[] {
  return readdirSync(join(store.dir, 'blob'))
}

function age(store: TempStore): void {
  for (const name of blobs(store)) utimesSync(join(store.dir, 'blob', name), DAYS_AGO, DAYS_AGO)
}

describe('a blob', () => {
  it('that no line names is deleted when it is a day old, and not before', async () => {
    await using store = await tempStore({ segmentLimitBytes: 500 })
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: { notes: LONG } }])
    for (let i = 0; i < 5; i++)
      transact(ledger, () => [{ o: 'set', id: 'x', f: { notes: `short ${'.'.repeat(200)}` } }])
    age(store)
    const upkeep = openUpkeep(store.dir, { sync: 'os' })
    // Still named by the segment that compaction replaces only now.
    const dry = await upkeep.compact({ dryRun: true })
    expect(dry.blobs).toEqual({ files: 0, bytes: 0 })
    expect((await upkeep.compact()).blobs).toEqual({ files: 1, bytes: LONG.length })
    expect(blobs(store)).toEqual([])
    transact(ledger, () => [{ o: 'say', id: 'x', x: `${LONG}!` }])
    writeFileSync(join(store.dir, 'blob', 'f'.repeat(64)), 'nobody names it yet')
    expect((await upkeep.compact()).blobs).toEqual({ files: 0, bytes: 0 })
    age(store)
    expect((await upkeep.compact()).blobs).toMatchObject({ files: 1 })
    expect(store.open().read().comments('x')[0]?.text).toBe(`${LONG}!`)
  })

  it('that only another clone names stays', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: { notes: LONG } }])
    const [name = ''] = blobs(store)
    writeChain(store.log, 'zzzzz', 1, [
      [new Date().toISOString(), { o: 'set', id: 'y', f: { notes: { $blob: name } } }],
    ])
    transact(store.open(), () => [{ o: 'set', id: 'x', f: { notes: '' } }])
    writeChain(store.log, store.clone, 1, [[new Date().toISOString(), { o: 'seal' }]])
    age(store)
    await openUpkeep(store.dir, { sync: 'os' }).compact()
    expect(readFileSync(join(store.log, `${store.clone}-000001.base.jsonl`), 'utf8')).not.toContain(name)
    expect(blobs(store)).toEqual([name])
    compactNow(store.dir, 'zzzzz')
    expect(blobs(store)).toEqual([name])
  })

  it('that a writer finds there and needs is not collected from under it', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    transact(store.open(), () => [{ o: 'say', id: 'x', x: LONG }])
    const [name = ''] = blobs(store)
    // The other end of the race: collected between the look of the writer and its line.
    const writer = store.open({
      onStep: (step) => {
        if (step === 'before-write') rmSync(join(store.dir, 'blob', name))
      },
    })
    transact(writer, () => [{ o: 'say', id: 'x', x: LONG }])
    expect(existsSync(join(store.dir, 'blob', name))).toBe(true)
    expect(
      store
        .open()
        .read()
        .comments('x')
        .map(({ text }) => text === LONG),
    ).toEqual([true, true])
    age(store)
    transact(store.open(), () => [{ o: 'say', id: 'x', x: LONG }])
    // Touched: it looks young again.
    expect(statSync(join(store.dir, 'blob', name)).mtimeMs / 1000).toBeGreaterThan(DAYS_AGO + 1000)
  })

  it('of which a byte rotted says so, wherever it is read', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [
      { o: 'new', id: 'x', k: 'bead', f: { notes: LONG } },
      { o: 'say', id: 'x', x: `${LONG}2` },
      { o: 'ev', type: 'a', data: { text: `${LONG}3` } },
    ])
    expect(ledger.read().get('x')?.fields.notes).toBe(LONG)
    for (const name of blobs(store)) {
      const path = join(store.dir, 'blob', name)
      writeFileSync(path, readFileSync(path, 'utf8').replace('long', 'lung'))
    }
    const view = store.open().read()
    const texts = [view.get('x')?.fields.notes, view.comments('x')[0]?.text, view.events()[0]?.data.text]
    for (const text of texts)
      expect(text).toMatch(/^\[text damaged: blob\/[0-9a-f]{64} is not what was written\]\nlung text/)
  })
})
