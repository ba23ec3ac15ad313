import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import type { StoreLedger } from '../../src/store/open-ledger.js'
import { writeChain } from './support/chain-files.js'
import { compactNow } from './support/compact-now.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const FOREIGN = 'zzzzz'
const NOW = Date.parse('2026-11-20T09:00:00.000Z')
const DAY_MS = 86_400_000
const FAR = '2099-01-01T00:00:00.000Z'

/** Stamps of the records that this directory wrote, oldest line first; compacted ones are not among them. */
function ownStamps(store: TempStore): string[] {
  return readdirSync(store.log)
    .filter((name) => name.startsWith(store.clone) && !name.includes('.base'))
    .sort()
    .flatMap((name) => readFileSync(join(store.log, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line).t.slice(0, 29))
}

function compact(store: TempStore, clone: string, now: number): void {
  compactNow(store.dir, clone, { clock: { now: () => now } })
}

function write(ledger: StoreLedger, ...ops: Op[]): void {
  transact(ledger, () => ops)
}

describe("another clone's clock at 2099", () => {
  const ways: [string, (store: TempStore) => void][] = [
    ['as it arrives', () => {}],
    ['through a snapshot', (store) => store.open({ clock: { now: () => NOW } }).compactCache(true)],
    ['through a base', (store) => compact(store, FOREIGN, NOW)],
    [
      'through a snapshot of its base',
      (store) => {
        compact(store, FOREIGN, NOW)
        store.open({ clock: { now: () => NOW } }).compactCache(true)
      },
    ],
    // Compacted there, by a machine whose clock says 2099, too.
    ['through a base that it wrote itself', (store) => compact(store, FOREIGN, Date.parse(FAR))],
  ]
  for (const [way, pass] of ways) {
    it(`poisons only the fields it wrote, ${way}`, async () => {
      await using store = await tempStore()
      writeChain(store.log, FOREIGN, 1, [
        ['2026-11-19T00:00:00.000Z', { o: 'new', id: 'x', k: 'bead', f: { title: 'a', status: 'open' } }],
        [FAR, { o: 'set', id: 'x', f: { title: 'poisoned' } }],
        [FAR, { o: 'add', id: 'x', f: 'labels', x: ['poisoned'] }],
        [FAR, { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'a/b' } }],
        [FAR, { o: 'ev', type: 'far', data: {} }],
        [FAR, { o: 'seal' }],
      ])
      pass(store)
      const ledger = () => store.open({ clock: { now: () => NOW } })
      write(ledger(), { o: 'set', id: 'x', f: { notes: 'ours' } })
      write(
        ledger(),
        { o: 'move', id: 'x', gen: 3, f: { status: 'closed' } },
        { o: 'say', id: 'x', x: 'hello' },
      )
      write(ledger(), { o: 'new', id: 'y', k: 'bead', f: {} })
      const [head, ...stamps] = ownStamps(store)
      expect(head).toMatch(/^2026-11-20T09/)
      // Only the move overwrites something of 2099.
      expect(stamps.map((stamp) => stamp.slice(0, 10))).toEqual(['2026-11-20', '2099-01-01', '2026-11-20'])
      write(
        ledger(),
        { o: 'set', id: 'x', f: { title: 'healed' } },
        { o: 'del', id: 'x', f: 'labels', x: ['poisoned'] },
      )
      write(ledger(), { o: 'set', id: 'x', f: { notes: 'again' } })
      expect(ownStamps(store).at(-1)).toMatch(/^2026-11-20T09/)
      for (const compacted of [false, true]) {
        if (compacted) ledger().compactCache(true)
        const view = ledger().read()
        expect(view.get('x')).toMatchObject({
          fields: { title: 'healed', notes: 'again', status: 'closed' },
          generation: 3,
          sets: {},
        })
        expect(view.eventsSince).toMatch(/^2026-11-06/)
      }
    })
  }
})

describe('our own clock', () => {
  it('set back by a day loses no write, and keeps the order of what follows', async () => {
    await using store = await tempStore()
    let now = NOW
    const clock = { now: () => now }
    for (const restart of [false, true, false]) {
      const ledger = store.open({ clock })
      const id = `x-${now}`
      write(ledger, { o: 'new', id, k: 'bead', f: { title: 'first', status: 'open' } })
      write(ledger, { o: 'add', id, f: 'labels', x: ['red', 'blue'] })
      if (restart) ledger.compactCache(true)
      now -= DAY_MS
      const after = restart ? store.open({ clock }) : ledger
      write(after, { o: 'set', id, f: { title: 'second' } })
      write(after, { o: 'set', id, f: { title: 'third' } })
      write(after, { o: 'del', id, f: 'labels', x: ['red'] })
      write(after, { o: 'move', id, gen: 2, f: { status: 'hooked', assignee: 'a/b' } })
      for (let i = 0; i < 20; i++) write(after, { o: 'say', id, x: `${i}` })
      for (const view of [after.read(), store.open({ clock }).read()]) {
        expect(view.get(id)).toMatchObject({
          fields: { title: 'third', status: 'hooked' },
          sets: { labels: ['blue'] },
        })
        // All in one millisecond of the clock: the counter tells them apart.
        expect(view.comments(id).map(({ text }) => text)).toEqual(
          Array.from({ length: 20 }, (_, i) => `${i}`),
        )
      }
    }
  })

  it('that was at 2099 for a moment does not stay there, with the snapshot of that moment or without', async () => {
    for (const snapshot of [false, true]) {
      await using store = await tempStore()
      const far = store.open({ clock: { now: () => Date.parse(FAR) } })
      write(far, { o: 'new', id: 'x', k: 'bead', f: { title: 'far' } })
      if (snapshot) far.compactCache(true)
      const ledger = store.open({ clock: { now: () => NOW } })
      write(ledger, { o: 'new', id: 'y', k: 'bead', f: {} })
      write(ledger, { o: 'set', id: 'y', f: { title: 'one' } }, { o: 'ev', type: 'a', data: {} })
      write(ledger, { o: 'ev', type: 'b', data: {} })
      write(ledger, { o: 'set', id: 'x', f: { title: 'near' } })
      const years = ownStamps(store).map((stamp) => stamp.slice(0, 4))
      expect(years).toEqual(['2099', '2099', '2026', '2026', '2026', '2099'])
      const view = store.open({ clock: { now: () => NOW } }).read()
      expect(view.get('x')?.fields.title).toBe('near')
      expect(view.events().map(({ type }) => type)).toEqual(['a', 'b'])
      const order = ownStamps(store).slice(2, 5)
      expect(order).toEqual([...order].sort())
      expect(new Set(order).size).toBe(3)
    }
  })
})
