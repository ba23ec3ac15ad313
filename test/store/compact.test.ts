import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newestBase } from '../../src/store/compact/fold-chain.js'
import { baseName, basePartName, listLog, segmentName, storePaths } from '../../src/store/layout.js'
import { LogState } from '../../src/store/log-state.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { recordLine, writeChain } from './support/chain-files.js'
import { ChainsOnDisk } from './support/chains-on-disk.js'
import { compactNow } from './support/compact-now.js'
import { type Dump, dumpStore, dumpTable } from './support/dump.js'
import { deliver, randomChains } from './support/histories.js'
import { Seeded } from './support/seeded.js'
import { syncFiles } from './support/sync-files.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const FOREIGN = 'zzzzz'
const HISTORIES = 60

function time(second: number): string {
  return new Date(Date.parse('2026-11-20T09:00:00.000Z') + second * 1000).toISOString()
}

function compact(store: { dir: string }, clone: string, options = {}) {
  return compactNow(store.dir, clone, options)
}

/** Torn lines lie in the files that compaction replaces. */
function withoutDamage({ damage: _, ...dump }: Dump): Dump {
  return dump
}

describe('compaction', () => {
  it('never changes what the log says, at any moment, on any clone, for any reader', async () => {
    let bases = 0
    let cut = 0
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const random = new Seeded(seed * 31)
      const chains = randomChains(random, 40 + random.below(80))
      const expected = dumpTable(deliver(chains, random).table)
      await using store = await tempStore()
      await using other = await tempStore()
      const disk = new ChainsOnDisk(store.log, chains, random)
      const watching = new LogState(storePaths(store.dir), Date.now)
      const watchingThere = new LogState(storePaths(other.dir), Date.now)
      const options = random.chance(0.5) ? { baseLimitBytes: 300 + random.below(2000) } : {}
      while (!disk.isDone) {
        disk.writeSome()
        if (random.chance(0.3)) compact(store, random.pick(chains).clone, options)
        if (random.chance(0.2)) watching.refresh()
        if (random.chance(0.1)) store.open().compactCache(true)
        if (random.chance(0.3)) syncFiles(store.log, other.log, random.chance(0.5) ? 999 : random.below(8))
        if (random.chance(0.2)) watchingThere.refresh()
        if (random.chance(0.1)) other.open().compactCache(true)
      }
      for (const { clone } of chains) if (random.chance(0.7)) compact(store, clone, options)
      syncFiles(store.log, other.log, 9999)
      watching.refresh()
      watchingThere.refresh()
      const views: [string, Dump][] = [
        ['log', dumpStore(store.dir, 'log only')],
        ['snapshot', dumpStore(store.dir, 'with snapshot')],
        ['watching', dumpTable(watching.table)],
        ['other log', dumpStore(other.dir, 'log only')],
        ['other snapshot', dumpStore(other.dir, 'with snapshot')],
        ['other watching', dumpTable(watchingThere.table)],
      ]
      for (const [what, dump] of views) expect(withoutDamage(dump), `seed ${seed}, ${what}`).toEqual(expected)
      for (const [clone, files] of listLog(store.log)) {
        bases += files.bases.length
        if ([...files.baseFiles.values()].some((names) => names.length > 1)) cut++
        expect(files.strayParts, clone).toEqual([])
        expect(compact(store, clone, options).stopped).toBeUndefined()
      }
      for (const log of [watching, watchingThere]) log.close()
    }
    expect(bases).toBeGreaterThan(HISTORIES)
    expect(cut).toBeGreaterThan(10)
  })

  it('says the sizes before and after; a dry run says the same and changes nothing', async () => {
    await using store = await tempStore({ segmentLimitBytes: 3000 })
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'T' } }])
    for (let i = 0; i < 100; i++) transact(ledger, () => [{ o: 'set', id: 'x', f: { notes: `${i}` } }])
    const upkeep = openUpkeep(store.dir, { sync: 'os' })
    const names = readdirSync(store.log).sort()
    const dry = await upkeep.compact({ dryRun: true })
    expect(readdirSync(store.log).sort()).toEqual(names)
    const done = await upkeep.compact()
    expect(done).toEqual(dry)
    expect(done).toMatchObject({ entities: 1, before: { files: names.length }, after: { files: 2 } })
    expect(done.after.bytes).toBeLessThan(done.before.bytes / 5)
    expect(store.open().read().get('x')?.fields).toEqual({ title: 'T', notes: '99' })
    expect(await upkeep.compact()).toMatchObject({ segments: 0, before: done.after, after: done.after })
    expect(store.open().read().damage).toEqual({ tornLines: 0, badLines: 0, unknownOps: 0 })
  })

  it('goes under a process that has the deleted file open: it writes again', async () => {
    await using store = await tempStore({ segmentLimitBytes: 600 })
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    let writes = 0
    const slow = store.open({
      onStep: (step) => {
        if (step !== 'before-write' || writes++ > 0) return
        for (let i = 0; i < 8; i++) transact(store.open(), () => [{ o: 'say', id: 'x', x: `${i}` }])
        compact(store, store.clone)
      },
    })
    transact(slow, () => [{ o: 'say', id: 'x', x: 'slow' }])
    expect(writes).toBe(2)
    expect(existsSync(join(store.log, segmentName(store.clone, 1)))).toBe(false)
    for (const view of [slow.read(), store.open().read()]) {
      expect(
        view
          .comments('x')
          .map(({ text }) => text)
          .sort(),
      ).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', 'slow'])
    }
  })

  it('keeps the generations of the chain: an old claim stays void', async () => {
    await using store = await tempStore()
    writeChain(store.log, store.clone, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: { status: 'open' } }],
      [time(1), { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'a/first' } }],
      [time(2), { o: 'seal' }],
    ])
    compact(store, store.clone)
    writeChain(store.log, store.clone, 2, [
      [
        time(3),
        { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'a/late' } },
        { o: 'say', id: 'x', x: 'mine' },
      ],
      [time(4), { o: 'new', id: 'x', k: 'mail', f: { title: 'again' } }],
    ])
    expect(store.open().read().get('x')).toMatchObject({
      kind: 'bead',
      generation: 2,
      fields: { assignee: 'a/first' },
      commentCount: 0,
    })
  })

  it('stops before a damaged line, before what it does not know, and before a missing file', async () => {
    const cases: [string, (path: string) => void][] = [
      ['damaged', (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('two', 'tvo'))],
      ['not know', (path) => appendFileSync(path, recordLine(FOREIGN, [time(9), { o: 'frob' } as never]))],
      ['missing', (path) => rmSync(path)],
    ]
    for (const [why, spoil] of cases) {
      await using store = await tempStore()
      for (const [i, text] of ['one', 'two', 'three'].entries()) {
        writeChain(store.log, FOREIGN, i + 1, [
          i === 0
            ? [time(0), { o: 'new', id: 'x', k: 'bead', f: {} }]
            : [time(i), { o: 'ev', type: 'a', data: {} }],
          [time(i), { o: 'say', id: 'x', x: text }],
        ])
      }
      writeChain(store.log, FOREIGN, 4, [[time(4), { o: 'say', id: 'x', x: 'four' }]])
      spoil(join(store.log, segmentName(FOREIGN, 2)))
      const before = dumpStore(store.dir, 'log only')
      const done = compact(store, FOREIGN)
      if (why === 'missing') expect(done.stopped).toBeUndefined()
      else expect(done.stopped).toEqual({ segment: 2, why: expect.stringContaining(why) })
      expect(done.upTo).toBe(1)
      expect(dumpStore(store.dir, 'log only')).toEqual(before)
      expect(existsSync(join(store.log, segmentName(FOREIGN, 3)))).toBe(true)
    }
  })

  it('seals a closed file that a power cut left without its seal, before it deletes it', async () => {
    await using store = await tempStore()
    writeChain(store.log, store.clone, 1, [[time(0), { o: 'new', id: 'x', k: 'bead', f: {} }]])
    const path = join(store.log, segmentName(store.clone, 1))
    appendFileSync(path, '{"t":"2026-1')
    writeChain(store.log, store.clone, 2, [[time(1), { o: 'say', id: 'x', x: 'two' }]])
    let sealed = ''
    compact(store, store.clone, {
      onStep: (step: string) => {
        if (step === 'compact:named') sealed = readFileSync(path, 'utf8')
      },
    })
    expect(sealed.split('\n').at(-2)).toContain('{"o":"seal"}')
    expect(existsSync(path)).toBe(false)
    expect(store.open().read().comments('x')).toHaveLength(1)
  })

  it('leaves events of the last 14 days, and all readers show the same ones', async () => {
    await using store = await tempStore()
    const days = (day: number) => `2026-11-${String(day).padStart(2, '0')}T09:00:00.000Z`
    writeChain(store.log, store.clone, 1, [
      [days(1), { o: 'ev', type: 'old', data: {} }],
      ['2026-11-05T21:00:00.000Z', { o: 'ev', type: 'between', data: {} }],
      [days(7), { o: 'ev', type: 'young', data: {} }],
      [days(20), { o: 'ev', type: 'newest', data: {} }],
      [days(20), { o: 'seal' }],
    ])
    const types = () =>
      store
        .open()
        .read()
        .events()
        .map(({ type }) => type)
    expect(types()).toEqual(['young', 'newest'])
    expect(store.open().read().eventsSince).toBe('2026-11-06T09:00:00.000Z')
    compact(store, store.clone)
    expect(types()).toEqual(['young', 'newest'])
    const base = readFileSync(join(store.log, baseName(store.clone, 1)), 'utf8')
    expect(base).not.toContain('"old"')
    expect(base).toContain('"between"')
    store.open().compactCache(true)
    expect(types()).toEqual(['young', 'newest'])
    // A clock that runs far ahead shows and drops no less.
    const ahead = { clock: { now: () => Date.parse('2099-01-01T00:00:00.000Z') } }
    expect(store.open(ahead).read().events()).toHaveLength(2)
  })

  it('is refused while another one runs', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    const lock = join(store.dir, 'local', 'compact.lock')
    const { withFileLock } = await import('../../src/system/file-lock.js')
    await withFileLock(lock, { timeoutMs: 0 }, async () => {
      await expect(openUpkeep(store.dir).compact()).rejects.toMatchObject({
        code: 'compaction-runs',
        exitCode: 5,
      })
    })
    await openUpkeep(store.dir).compact()
  })

  it('leaves the segments when what was written does not read back the same', async () => {
    await using store = await tempStore()
    writeChain(store.log, store.clone, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: { title: 'right' } }],
      [time(1), { o: 'seal' }],
    ])
    const names = readdirSync(store.log)
    const spoil = (step: string) => {
      if (step !== 'compact:written') return
      const name = readdirSync(store.log).find((found) => found.endsWith('.tmp')) ?? ''
      const path = join(store.log, name)
      writeFileSync(path, readFileSync(path, 'utf8').replace('right', 'wrong'))
    }
    expect(() => compact(store, store.clone, { onStep: spoil })).toThrow(/segments stay/)
    expect(readdirSync(store.log)).toEqual(names)
  })
})

describe('a base that was cut', () => {
  it('counts only when all its parts are there', async () => {
    await using store = await tempStore()
    const lines = Array.from({ length: 6 }, (_, i) => `b-${i}`)
    writeChain(store.log, FOREIGN, 1, [
      ...lines.map((id): [string, { o: 'new'; id: string; k: 'bead'; f: object }] => [
        time(0),
        { o: 'new', id, k: 'bead', f: {} },
      ]),
      [time(1), { o: 'seal' }],
    ] as never)
    await using other = await tempStore()
    compact(store, FOREIGN, { baseLimitBytes: 900 })
    const parts = readdirSync(store.log).sort()
    expect(parts.length).toBeGreaterThan(2)
    for (const [i, name] of parts.entries()) {
      expect(newestBase(listLog(other.log).get(FOREIGN) ?? ({ bases: [] } as never))).toBe(0)
      if (i > 0) expect(other.open().read().count({ kind: 'bead' })).toBe(0)
      copyFileSync(join(store.log, name), join(other.log, name))
    }
    expect(other.open().read().count({ kind: 'bead' })).toBe(6)
    expect(other.open().read().damage.badLines).toBe(0)
  })

  it('is not mixed with parts of another attempt, which go when they are old', async () => {
    await using store = await tempStore()
    const old = basePartName({ clone: store.clone, upTo: 1, attempt: 'aaaaaa' }, 1, 2)
    writeFileSync(join(store.log, old), 'half')
    writeFileSync(join(store.log, '.compact-aaaaaa-1.tmp'), 'half')
    writeChain(store.log, store.clone, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: {} }],
      [time(1), { o: 'new', id: 'y', k: 'bead', f: {} }],
      [time(1), { o: 'seal' }],
    ])
    compact(store, store.clone, { baseLimitBytes: 200 })
    expect(store.open().read().count({ kind: 'bead' })).toBe(2)
    expect(readdirSync(store.log)).toContain(old)
    for (const name of [old, '.compact-aaaaaa-1.tmp']) utimesSync(join(store.log, name), 1, 1)
    compact(store, store.clone)
    expect(readdirSync(store.log).filter((name) => name.includes('aaaaaa'))).toEqual([])
    expect(store.open().read().count({ kind: 'bead' })).toBe(2)
  })
})

describe('a clone that lacked a file in the middle', () => {
  it('has everything when the base arrives instead of it', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [[time(0), { o: 'new', id: 'x', k: 'bead', f: {} }, { o: 'seal' }]])
    writeChain(store.log, FOREIGN, 2, [[time(1), { o: 'say', id: 'x', x: 'two' }, { o: 'seal' }]])
    writeChain(store.log, FOREIGN, 3, [[time(2), { o: 'say', id: 'x', x: 'three' }, { o: 'seal' }]])
    const second = readFileSync(join(store.log, segmentName(FOREIGN, 2)))
    rmSync(join(store.log, segmentName(FOREIGN, 2)))
    const reader = store.open()
    expect(reader.read().comments('x')).toHaveLength(1)
    reader.compactCache(true)
    writeFileSync(join(store.log, segmentName(FOREIGN, 2)), second)
    compact(store, FOREIGN)
    for (const ledger of [reader, store.open()]) {
      expect(ledger.read().comments('x')).toHaveLength(2)
      expect(ledger.read().damage.badLines).toBe(0)
    }
  })
})

describe('care that is due', () => {
  function fill(store: TempStore, segments: number): void {
    for (let i = 1; i <= segments; i++) {
      writeChain(store.log, store.clone, i, [[time(i), { o: 'ev', type: 'a', data: {} }, { o: 'seal' }]])
    }
  }

  it('is nothing for a young store, and compaction after 64 closed files', async () => {
    await using store = await tempStore()
    const upkeep = openUpkeep(store.dir)
    expect(await upkeep.due()).toEqual([])
    fill(store, 64)
    expect(await upkeep.due()).toEqual([])
    fill(store, 65)
    expect(await upkeep.due()).toEqual(['compact'])
    await upkeep.compact()
    expect(await upkeep.due()).toEqual([])
  })

  it('is compaction once a day when there is a closed file at all', async () => {
    await using store = await tempStore()
    let now = Date.now()
    const upkeep = openUpkeep(store.dir, { clock: { now: () => now } })
    fill(store, 1)
    now += 90_000_000
    expect(await upkeep.due()).toEqual([])
    writeChain(store.log, store.clone, 2, [[time(5), { o: 'ev', type: 'a', data: {} }]])
    expect(await upkeep.due()).toEqual(['compact'])
    await upkeep.compact()
    writeChain(store.log, store.clone, 3, [[time(6), { o: 'ev', type: 'a', data: {} }]])
    now = Date.now() + 3_600_000
    expect(await upkeep.due()).toEqual([])
    now = Date.now() + 90_000_000
    expect(await upkeep.due()).toEqual(['compact'])
    // Not for a few lines beside a large base.
    appendFileSync(join(store.log, baseName(store.clone, 1)), '\n'.repeat(100_000))
    utimesSync(join(store.log, baseName(store.clone, 1)), 1, 1)
    expect(await upkeep.due()).toEqual([])
  })
})
