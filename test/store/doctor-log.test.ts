import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { recordLine, writeBase, writeChain } from './support/chain-files.js'
import { examine, mend, mendAll, problemIds, problems } from './support/doctor.js'
import { dumpStore } from './support/dump.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const BEADS = 12

/** Beads that were created, claimed, closed and commented on, some in one record; in several segments, committed. */
async function filled(options: { segmentLimitBytes?: number } = {}): Promise<TempStore> {
  const store = await tempStore({ segmentLimitBytes: 1500, ...options })
  const ledger = store.open()
  for (let i = 0; i < BEADS; i++) {
    transact(ledger, () => [
      { o: 'new', id: `b-${i}`, k: 'bead', f: { title: `bead ${i}`, status: 'open' } },
      { o: 'ev', type: 'made', data: { n: i } },
    ])
    if (i % 3 !== 2)
      transact(
        ledger,
        () => [{ o: 'move', id: `b-${i}`, gen: 2, f: { status: 'hooked', assignee: 'p/a' } }],
        'p/a',
      )
    transact(ledger, () => [
      { o: 'say', id: `b-${i}`, x: `about ${i}` },
      { o: 'add', id: `b-${i}`, f: 'labels', x: ['red'] },
    ])
  }
  await ledger.commitHistory()
  return store
}

function segments(store: TempStore): string[] {
  return readdirSync(store.log)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(store.log, name))
}

function state(store: TempStore) {
  const { damage: _, ...dump } = dumpStore(store.dir, 'log only')
  return dump
}

type Edit = (text: string) => string

const lines = (change: (lines: string[]) => string[]): Edit => {
  return (text) => `${change(text.trimEnd().split('\n')).join('\n')}\n`
}

/** What people and editors do to a text file. */
const EDITS: Record<string, Edit> = {
  'a value changed': (text) => text.replace(/"bead (\d+)"/, '"bread $1"'),
  'every value changed': (text) => text.replaceAll('"bead ', '"bread '),
  'the stamp of a line changed': lines((all) =>
    all.map((line, i) => (i === 2 ? line.replace('20', '19') : line)),
  ),
  'a line deleted': lines((all) => all.filter((_, i) => i !== 2)),
  'the last line deleted': lines((all) => all.slice(0, -1)),
  'half of the lines deleted': lines((all) => all.filter((_, i) => i % 2 === 0)),
  'the first line deleted': lines((all) => all.slice(1)),
  'a line duplicated': lines((all) => [...all.slice(0, 3), ...all.slice(2)]),
  'lines reversed': lines((all) => all.reverse()),
  'two lines exchanged': lines(([a, b, c, d, ...rest]) => [a, b, d, c, ...rest].map((line) => line ?? '')),
  'CRLF at the ends of lines': (text) => text.replaceAll('\n', '\r\n'),
  'a byte order mark': (text) => `\ufeff${text}`,
  'the whole file emptied': () => '',
  'spaces put in': (text) => text.replaceAll('":', '": '),
  'a sentence typed into it': lines((all) => [
    ...all.slice(0, 2),
    'please do not forget the tests',
    ...all.slice(2),
  ]),
  'the end of a line cut off': lines((all) => all.map((line, i) => (i === 1 ? line.slice(0, -9) : line))),
  'the last newline cut off': (text) => text.trimEnd(),
  'zeros in the middle': (text) => `${text.slice(0, 300)}${'\0'.repeat(100)}${text.slice(400)}`,
}

describe('a segment changed by hand', () => {
  for (const which of ['first', 'newest'] as const) {
    for (const [name, edit] of Object.entries(EDITS)) {
      it(`${name}, in the ${which} one: it is noticed and mended`, async () => {
        await using store = await filled()
        const before = state(store)
        const files = segments(store)
        expect(files.length).toBeGreaterThan(3)
        const path = (which === 'first' ? files[0] : files.at(-1)) ?? ''
        const original = readFileSync(path, 'utf8')
        const edited = edit(original)
        expect(edited).not.toBe(original)
        writeFileSync(path, edited)
        // Cut off at its end it lost nothing: the record is whole, and the next writer ends the line.
        const isHarmless = name === 'the last newline cut off'
        expect(await problemIds(store.dir), name).not.toEqual([])
        await mendAll(store.dir)
        expect(state(store)).toEqual(before)
        expect(isHarmless || dumpStore(store.dir, 'log only').damage).toBeTruthy()
        transact(store.open(), () => [{ o: 'new', id: 'after', k: 'bead', f: {} }])
        expect(await store.open().commitHistory()).toBeDefined()
        expect(await problems(store.dir)).toEqual([])
        expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
      })
    }
  }

  it('with the cache in place: readers and the next snapshot see what was put back', async () => {
    await using store = await filled()
    const before = state(store)
    store.open().compactCache(true)
    const first = segments(store)[0] ?? ''
    const reader = store.open()
    expect(reader.read().get('b-0')).toBeDefined()
    writeFileSync(first, readFileSync(first, 'utf8').replace('"bead 0"', '"bread 0"'))
    rmSync(join(store.dir, 'cache/snap'))
    expect(reader.read().get('b-0')?.fields.title).toBe('bead 0')
    const late = store.open()
    expect(late.read().get('b-0')).toBeUndefined()
    late.compactCache(true)
    await mendAll(store.dir)
    expect(late.read().get('b-0')?.fields.title).toBe('bead 0')
    // From what it knew before it could only have written a snapshot without b-0.
    late.compactCache(true)
    expect(store.open().read().get('b-0')?.fields.title).toBe('bead 0')
    expect(dumpStore(store.dir, 'with snapshot')).toMatchObject(before)
  })

  it('moves what history does not know aside, and says what is lost', async () => {
    await using store = await filled()
    transact(store.open(), () => [{ o: 'new', id: 'fresh', k: 'bead', f: { title: 'unsaved' } }])
    const newest = segments(store).at(-1) ?? ''
    writeFileSync(newest, readFileSync(newest, 'utf8').replace('unsaved', 'changed'))
    const found = await problems(store.dir)
    expect(found[0]).toMatchObject({ id: 'log-bad-line', severity: 'error' })
    expect(found[0]?.what).toContain('history does not know 1')
    const [done] = await mend(store.dir)
    expect(done?.left).toContain('nothing in history tells')
    expect(done?.undo).toMatch(/local\/aside\//)
    const aside = join(store.dir, /local\/aside\/\S+/.exec(done?.undo ?? '')?.[0] ?? '')
    const kept = readdirSync(join(aside, 'log')).map((name) => readFileSync(join(aside, 'log', name), 'utf8'))
    expect(kept.join('')).toContain('changed')
    expect(await problems(store.dir)).toEqual([])
    expect((await examine(store.dir)).map(({ id }) => id)).toContain('aside')
  })
})

describe('files of the log', () => {
  const damages: Record<string, (path: string) => void> = {
    'that are gone': (path) => rmSync(path),
    'replaced by a folder': (path) => {
      rmSync(path)
      mkdirSync(path)
      writeFileSync(join(path, 'notes.txt'), 'mine')
    },
    'filled with noise': (path) => writeFileSync(path, Buffer.alloc(3000, 'xyz\n')),
  }
  for (const which of ['first', 'middle', 'newest'] as const) {
    for (const [name, damage] of Object.entries(damages)) {
      it(`${name}: the ${which} one comes back`, async () => {
        await using store = await filled()
        const before = state(store)
        const files = segments(store)
        const place = { first: 0, middle: 2, newest: files.length - 1 }[which]
        const path = files[place] ?? ''
        const committed = readFileSync(path, 'utf8')
        damage(path)
        expect(await problemIds(store.dir)).not.toEqual([])
        const done = await mendAll(store.dir)
        expect(state(store)).toEqual(before)
        if (which !== 'newest') expect(readFileSync(path, 'utf8')).toBe(committed)
        if (name === 'replaced by a folder') {
          const undo = done.map((one) => one.undo ?? '').join(' ')
          const aside = readdirSync(join(store.dir, 'local/aside'), { recursive: true, encoding: 'utf8' })
          expect(
            aside.some((one) => one.endsWith('notes.txt')),
            undo,
          ).toBe(true)
        }
      })
    }
  }

  it('all gone come back, whatever was written since', async () => {
    await using store = await filled()
    const before = state(store)
    for (const path of segments(store)) rmSync(path)
    const ledger = store.open()
    expect(ledger.read().count({ kind: 'bead' })).toBe(0)
    transact(ledger, () => [{ o: 'new', id: 'meanwhile', k: 'bead', f: { title: 'new' } }])
    // A bead of the same id, made while the first was not to be seen: what counts now goes on to count.
    transact(ledger, () => [{ o: 'new', id: 'b-1', k: 'bead', f: { title: 'the second' } }])
    expect(await ledger.commitHistory()).toBeUndefined()
    expect(ledger.lostFiles().length).toBeGreaterThan(3)
    const [done] = await mend(store.dir)
    expect(done?.left).toContain('without effect')
    expect(await problems(store.dir)).toEqual([])
    const after = store.open().read()
    expect(after.get('meanwhile')).toBeDefined()
    expect(after.get('b-1')?.fields).toMatchObject({ title: 'the second' })
    for (let i = 0; i < BEADS; i++) {
      expect(after.get(`b-${i}`), `b-${i}`).toBeDefined()
      expect(after.comments(`b-${i}`).map(({ text }) => text)).toContain(`about ${i}`)
    }
    expect(Object.keys(before.entities).every((id) => after.get(id) !== undefined)).toBe(true)
  })

  it('without permission to read get it back', async ({ skip }) => {
    skip(process.getuid?.() === 0, 'root reads everything')
    await using store = await filled()
    const path = segments(store)[0] ?? ''
    chmodSync(path, 0)
    expect(await problemIds(store.dir)).toContain('log-unreadable')
    await mendAll(store.dir)
  })

  it('with a gap that history does not know are said, and no repair is promised', async () => {
    await using store = await tempStore()
    const time = '2026-11-20T08:00:00.000Z'
    writeChain(store.log, 'zzzzz', 1, [[time, { o: 'new', id: 'x', k: 'bead', f: {} }]])
    writeChain(store.log, 'zzzzz', 4, [[time, { o: 'say', id: 'x', x: 'hi' }]])
    const [gap, ...others] = await problems(store.dir)
    expect(others).toEqual([])
    expect(gap).toMatchObject({ id: 'log-gap', severity: 'error' })
    expect(gap?.what).toBe('segments 2 to 3 of zzzzz missing')
    expect(gap?.fix).toBeUndefined()
  })

  it('of a clone whose id was given up are restored from our own branch', async () => {
    await using store = await filled()
    const copy = join(store.dir, '../copy')
    cpSync(store.dir, copy, { recursive: true })
    const { openLedger } = await import('../../src/store/open-ledger.js')
    const ledger = openLedger(copy, { sync: 'os' })
    transact(ledger, () => [{ o: 'new', id: 'in-copy', k: 'bead', f: {} }])
    expect(ledger.clone).not.toBe(store.clone)
    await ledger.commitHistory()
    const before = dumpStore(copy, 'log only')
    const first = join(copy, 'log', `${store.clone}-000001.jsonl`)
    const good = readFileSync(first, 'utf8')
    writeFileSync(first, good.replace('"bead 0"', '"bread 0"'))
    expect(await problemIds(copy)).toContain('log-bad-line')
    await mendAll(copy)
    expect(readFileSync(first, 'utf8')).toBe(good)
    expect(dumpStore(copy, 'log only')).toEqual(before)
    ledger.close()
  })

  it('in which bases are damaged or gone come back', async () => {
    await using store = await tempStore()
    const time = '2026-11-20T08:00:00.000Z'
    const { packState } = await import('../../src/store/packed-state.js')
    const { EntityTable } = await import('../../src/store/entity-table.js')
    const { applyRecord } = await import('../../src/store/fold.js')
    const table = new EntityTable(undefined, Date.now)
    const stamp = `${time}-0000-${store.clone}-aaaaaa`
    applyRecord(table, store.clone, {
      t: stamp,
      by: 'human',
      ops: [{ o: 'new', id: 'old', k: 'bead', f: { title: 't' } }],
    })
    const old = table.find('old')
    if (old === undefined) throw new Error('not folded')
    const { ch: _, ...packed } = packState(old)
    writeBase(store.log, store.clone, 2, [
      [time, { o: 'st', ...packed }],
      [time, { o: 'base', upto: 2, n: 1 }],
    ])
    const ledger = store.open()
    transact(ledger, () => [{ o: 'say', id: 'old', x: 'hi' }])
    await ledger.commitHistory()
    expect(await problems(store.dir)).toEqual([])
    const before = state(store)
    const base = join(store.log, `${store.clone}-000002.base.jsonl`)
    const good = readFileSync(base, 'utf8')
    for (const damage of [
      () => writeFileSync(base, good.replace('"t"]', '"u"]')),
      () => writeFileSync(base, good.split('\n').slice(1).join('\n')),
      () => rmSync(base),
    ]) {
      damage()
      expect(await problemIds(store.dir)).not.toEqual([])
      await mendAll(store.dir)
      expect(readFileSync(base, 'utf8')).toBe(good)
      expect(state(store)).toEqual(before)
    }
  })
})

describe('what the log may hold without harm', () => {
  it('is torn lines, void lines behind a seal and copies of lines', async () => {
    await using store = await filled()
    const now = new Date().toISOString()
    const newest = segments(store).at(-1) ?? ''
    appendFileSync(newest, '{"t":"2026-11-20T08:00:00.000Z-0000-')
    transact(store.open(), () => [{ o: 'say', id: 'b-1', x: 'next' }])
    const first = segments(store)[0] ?? ''
    appendFileSync(first, recordLine(store.clone, [now, { o: 'say', id: 'b-1', x: 'void' }]))
    const found = await examine(store.dir)
    expect(found.filter(({ severity }) => severity === 'note').map(({ id }) => id)).toEqual([
      'log-torn',
      'log-after-seal',
    ])
    expect(await problems(store.dir)).toEqual([])
  })

  it('is not a wrong clock, a foreign line, an unknown id or a newer format', async () => {
    await using store = await filled({ segmentLimitBytes: 1_000_000 })
    const now = new Date().toISOString()
    const ahead = new Date(Date.now() + 3 * 86_400_000).toISOString()
    writeChain(store.log, 'zzzzz', 1, [
      [now, { o: 'head', format: 99 }],
      [now, { o: 'say', id: 'nobody', x: 'hi' }],
      ['2026-11-20T06:00:00.000Z', { o: 'say', id: 'b-1', x: 'early' }],
      [ahead, { o: 'say', id: 'b-1', x: 'late' }],
    ])
    appendFileSync(
      segments(store)[0] ?? '',
      recordLine('yyyyy', [now, { o: 'say', id: 'b-1', x: 'strange' }]),
    )
    const found = await examine(store.dir)
    const said = found
      .filter(({ severity }) => severity !== 'ok')
      .map(({ id, severity }) => `${severity} ${id}`)
    expect(said.sort()).toEqual([
      'error log-format',
      'note log-stamp-back',
      'warning entity-without-new',
      'warning log-foreign-lines',
      'warning log-stamp-ahead',
    ])
    expect(found.find(({ id }) => id === 'log-format')?.hint).toBe('update gt')
    expect(existsSync(join(store.dir, 'local/aside'))).toBe(false)
    expect(() => transact(store.open(), () => [{ o: 'ev', type: 'e', data: {} }])).toThrow('newer gt')
    expect(store.open().read().get('b-1')).toBeDefined()
  })
})
