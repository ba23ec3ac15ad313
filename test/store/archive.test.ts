import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { EntityKind } from '../../src/domain/record.js'
import type { EntityQuery, View } from '../../src/ports/ledger.js'
import { type Written, writeChain } from './support/chain-files.js'
import { ChainsOnDisk } from './support/chains-on-disk.js'
import { compactNow } from './support/compact-now.js'
import { dumpStore, dumpTable } from './support/dump.js'
import { deliver, randomChains } from './support/histories.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const FOREIGN = 'zzzzz'
const DAY_MS = 86_400_000
const NOW = Date.parse('2026-11-20T09:00:00.000Z')

function daysAgo(days: number): string {
  return new Date(NOW - days * DAY_MS).toISOString()
}

/** A bead of each sort, in another clone's chain. */
function beads(): Written[] {
  return [
    [daysAgo(200), { o: 'new', id: 'old-closed', k: 'bead', f: { title: 'old', status: 'open' } }],
    [daysAgo(199), { o: 'move', id: 'old-closed', gen: 2, f: { status: 'closed', assignee: 'a/b' } }],
    [daysAgo(198), { o: 'new', id: 'old-open', k: 'bead', f: { status: 'open' } }],
    [daysAgo(197), { o: 'add', id: 'old-open', f: 'deps', x: ['blocks:old-closed'] }],
    [daysAgo(196), { o: 'new', id: 'old-mail', k: 'mail', f: { status: 'read', assignee: 'a/b' } }],
    [daysAgo(50), { o: 'new', id: 'new-closed', k: 'bead', f: { status: 'open' } }],
    [daysAgo(49), { o: 'move', id: 'new-closed', gen: 2, f: { status: 'closed', assignee: 'a/b' } }],
    [daysAgo(0), { o: 'new', id: 'fresh', k: 'bead', f: { status: 'open' } }],
  ]
}

const SMALL = { minResting: 1, clock: { now: () => NOW } }

function ids(view: View, query: Omit<EntityQuery, 'kind'> & { kind?: EntityKind } = {}): string[] {
  const whole = { kind: 'bead' as const, ...query }
  const found = view.list(whole).map(({ id }) => id)
  expect(view.count(whole)).toBe(found.length)
  return found.sort()
}

function coldFiles(store: TempStore): string[] {
  return readdirSync(join(store.dir, 'cache')).filter((name) => name.startsWith('cold-'))
}

/** From the log, from a fresh snapshot, and from one written over. */
async function inEveryWay(
  check: (view: View, store: TempStore, way: string) => void | Promise<void>,
): Promise<void> {
  for (const way of ['log', 'snapshot', 'twice']) {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, beads())
    if (way !== 'log') store.open(SMALL).compactCache(true)
    if (way === 'twice') {
      transact(store.open(SMALL), () => [{ o: 'say', id: 'fresh', x: 'hello' }])
      store.open(SMALL).compactCache(true)
    }
    expect(coldFiles(store)).toHaveLength(way === 'log' ? 0 : 1)
    await check(store.open(SMALL).read(), store, way)
  }
}

describe('a bead closed 90 days ago', () => {
  it('is left out of lists, and found in every other way', async () => {
    await inEveryWay((view) => {
      expect(ids(view)).toEqual(['fresh', 'new-closed', 'old-open'])
      expect(ids(view, { status: 'closed' })).toEqual(['new-closed'])
      expect(ids(view, { status: ['open', 'closed'], archived: 'too' })).toEqual([
        'fresh',
        'new-closed',
        'old-closed',
        'old-open',
      ])
      expect(ids(view, { archived: 'only' })).toEqual(['old-closed'])
      expect(ids(view, { assignee: 'a/b' })).toEqual(['new-closed'])
      expect(ids(view, { assignee: 'a/b', archived: 'only' })).toEqual(['old-closed'])
      expect(view.get('old-closed')).toMatchObject({
        fields: { status: 'closed', title: 'old' },
        generation: 2,
      })
      expect(view.resolve('bead', 'old-c')).toMatchObject({ kind: 'found', entity: { id: 'old-closed' } })
      expect(view.referrers('bead', 'deps', 'blocks:old-closed').map(({ id }) => id)).toEqual(['old-open'])
      // Only beads are archived; other kinds merely lie deeper.
      expect(ids(view, { kind: 'mail' })).toEqual(['old-mail'])
      expect(ids(view, { kind: 'mail', assignee: 'a/b', status: ['unread', 'read'] })).toEqual(['old-mail'])
    })
  })

  it('keeps its id: it cannot be given again', async () => {
    await inEveryWay((_, store) => {
      const again = () =>
        transact(store.open(SMALL), () => [{ o: 'new', id: 'old-closed', k: 'bead', f: {} }])
      expect(again).toThrow(/exists already/)
    })
  })

  it('comes back when it is reopened, and by a late comment of another clone', async () => {
    await inEveryWay((_, store) => {
      transact(store.open(SMALL), () => [{ o: 'move', id: 'old-closed', gen: 3, f: { status: 'open' } }])
      for (const force of [false, true]) {
        if (force) store.open(SMALL).compactCache(true)
        const view = store.open(SMALL).read()
        expect(ids(view)).toContain('old-closed')
        expect(ids(view, { status: 'open' })).toContain('old-closed')
        expect(ids(view, { archived: 'only' })).toEqual([])
      }
    })
    await inEveryWay((_, store) => {
      writeChain(store.log, 'yyyyy', 1, [[daysAgo(1), { o: 'say', id: 'old-closed', x: 'late' }]])
      for (const force of [false, true]) {
        if (force) store.open(SMALL).compactCache(true)
        const view = store.open(SMALL).read()
        expect(ids(view, { status: 'closed' })).toEqual(['new-closed', 'old-closed'])
        expect(view.comments('old-closed').map(({ text }) => text)).toEqual(['late'])
      }
    })
  })

  it('is another one with another archive_after', async () => {
    await inEveryWay((_, store) => {
      const days = (count: number) =>
        ids(store.open({ ...SMALL, archiveAfterMs: count * DAY_MS }).read(), { archived: 'only' })
      expect(days(10)).toEqual(['new-closed', 'old-closed'])
      expect(days(400)).toEqual([])
    })
  })

  it('is in the lower file only, which is not opened for what is open', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, beads())
    store.open(SMALL).compactCache(true)
    const [cold = ''] = coldFiles(store)
    expect(readFileSync(join(store.dir, 'cache/snap'), 'utf8')).not.toContain('"id":"old-closed"')
    expect(readFileSync(join(store.dir, 'cache', cold), 'utf8')).toContain('"id":"old-closed"')
    rmSync(join(store.dir, 'cache', cold))
    const log = join(store.log, `${FOREIGN}-000001.jsonl`)
    const text = readFileSync(log, 'utf8')
    // With the same length and end, only reading it all again would notice.
    writeFileSync(log, text.replace('"title":"old"', '"title":"odd"'))
    const view = store.open(SMALL).read()
    expect(ids(view)).toEqual(['fresh', 'new-closed', 'old-open'])
    expect(ids(view, { status: 'closed' })).toEqual(['new-closed'])
    expect(view.get('fresh')).toBeDefined()
    expect(view.damage.badLines).toBe(0)
    writeFileSync(log, text)
    expect(view.get('old-closed')?.fields.title).toBe('old')
    expect(ids(view)).toEqual(['fresh', 'new-closed', 'old-open'])
    store.open(SMALL).compactCache(true)
    expect(store.open(SMALL).read().get('old-closed')).toBeDefined()
  })
})

describe('the lower layer of the snapshot', () => {
  it('never changes an answer, however it came to be', async () => {
    let layered = 0
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Seeded(seed * 101)
      const chains = randomChains(random, 40 + random.below(80))
      const expected = dumpTable(deliver(chains, random).table)
      await using store = await tempStore()
      const options = { minResting: 1 + random.below(3), archiveAfterMs: 1 + random.below(4_000) }
      const disk = new ChainsOnDisk(store.log, chains, random)
      const watching = store.open(options)
      while (!disk.isDone) {
        disk.writeSome()
        if (random.chance(0.4)) store.open(options).compactCache(true)
        if (random.chance(0.1)) watching.compactCache(true)
        if (random.chance(0.2)) watching.read().get('issue-1')
        if (random.chance(0.1)) {
          compactNow(store.dir, random.pick(chains).clone)
        }
      }
      layered += coldFiles(store).length > 0 ? 1 : 0
      for (const source of ['log only', 'with snapshot'] as const) {
        const { damage: _, ...dump } = dumpStore(store.dir, source)
        expect(dump, `seed ${seed} ${source}`).toEqual(expected)
      }
      const warm = answers(watching.read())
      expect(answers(store.open(options).read()), `seed ${seed}`).toEqual(warm)
      rmSync(join(store.dir, 'cache'), { recursive: true })
      expect(answers(store.open(options).read()), `seed ${seed}`).toEqual(warm)
    }
    expect(layered).toBeGreaterThan(12)
  })

  it('with any byte changed never changes an answer', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, beads())
    store.open(SMALL).compactCache(true)
    const [cold = ''] = coldFiles(store)
    const path = join(store.dir, 'cache', cold)
    const good = readFileSync(path)
    const expected = answers(store.open(SMALL).read())
    for (let at = 0; at < good.length; at += 3) {
      const bad = Buffer.from(good)
      bad[at] = (bad[at] ?? 0) ^ (1 + (at % 255))
      writeFileSync(path, bad)
      expect(answers(store.open(SMALL).read()), `byte ${at}`).toEqual(expected)
    }
  })

  it('is written again only when enough has come to rest', async () => {
    await using store = await tempStore()
    const options = { ...SMALL, minResting: 3 }
    writeChain(store.log, FOREIGN, 1, beads())
    store.open(options).compactCache(true)
    expect(coldFiles(store)).toEqual([])
    writeChain(store.log, FOREIGN, 1, [
      [daysAgo(120), { o: 'new', id: 'late-1', k: 'bead', f: { status: 'closed' } }],
    ])
    store.open(options).compactCache(true)
    const [first = ''] = coldFiles(store)
    writeChain(store.log, FOREIGN, 1, [
      [daysAgo(119), { o: 'new', id: 'late-2', k: 'bead', f: { status: 'closed' } }],
    ])
    store.open(options).compactCache(true)
    expect(coldFiles(store)).toEqual([first])
    expect(ids(store.open(options).read(), { archived: 'only' })).toEqual(['late-1', 'late-2', 'old-closed'])
  })
})

function answers(view: View): unknown {
  const answer: Record<string, unknown> = {}
  for (const kind of ['bead', 'mail'] as const) {
    for (const archived of [undefined, 'too', 'only'] as const) {
      for (const status of [undefined, 'closed', 'open', ['hooked', 'closed', 'in_review']]) {
        const query = { kind, ...(archived && { archived }), ...(status && { status }) }
        const found = view.list(query)
        expect(view.count(query)).toBe(found.length)
        answer[JSON.stringify(query)] = found
      }
    }
    for (const label of ['red', 'blue']) answer[`${kind} ${label}`] = view.referrers(kind, 'labels', label)
    for (const typed of ['issue', 'issue-1', 'proj-aaaaa', 'proj-aaaaa2', 'proj-bbbbb', 'old', 'nothing']) {
      answer[`${kind} ${typed}`] = view.resolve(kind, typed)
    }
  }
  answer.length = ['proj-aaaaa999999', 'proj-ccccc111111'].map((key) => view.shownLength(key))
  return answer
}
