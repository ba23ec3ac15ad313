import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { openLedger } from '../../src/store/open-ledger.js'
import { MAGIC } from '../../src/store/snapshot-format.js'
import { writeChain } from './support/chain-files.js'
import { dumpStore } from './support/dump.js'
import { Seeded } from './support/seeded.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

function snapshotPath(store: TempStore): string {
  return join(store.dir, 'cache/snap')
}

/** A few hundred records of all sorts. */
function fill(store: TempStore, seed: number, count: number): void {
  const random = new Seeded(seed)
  const ledger = store.open()
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    transact(ledger, (view) => {
      const id = ids.length > 0 ? random.pick(ids) : ''
      if (id === '' || random.chance(0.4)) {
        const made = random.chance(0.5) ? `issue-${seed}-${i}` : `proj-aaaa${random.text(7)}`
        ids.push(made)
        const shown = made.startsWith('proj-') ? { a: view.shownLength(made) } : {}
        const f = { status: 'open', title: random.text(random.below(40)), n: i }
        return [
          { o: 'new', id: made, k: random.pick(['bead', 'mail'] as const), ...shown, f },
          { o: 'ev', type: 'made', data: { made } },
        ]
      }
      const gen = (view.get(id)?.generation ?? 99) + 1
      const ops: Op[] = [
        { o: 'set', id, f: { notes: random.text(10) } },
        { o: 'add', id, f: 'deps', x: [`blocks:${random.pick(ids)}`] },
        { o: 'say', id, x: random.text(5) },
        { o: 'move', id, gen, f: { status: random.pick(['open', 'closed']), assignee: random.text(1) } },
      ]
      const op = view.get(id) === undefined ? undefined : random.pick(ops)
      return op === undefined ? [] : [op, ...(random.chance(0.03) ? [{ o: 'gone' as const, id }] : [])]
    })
  }
}

describe('the snapshot', () => {
  it('gives the same state as the log, written once and written over', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      await using store = await tempStore()
      for (let round = 0; round < 4; round++) {
        fill(store, seed * 10 + round, 60)
        store.open().compactCache(true)
        expect(dumpStore(store.dir, 'with snapshot'), `seed ${seed}`).toEqual(
          dumpStore(store.dir, 'log only'),
        )
        fill(store, seed * 10 + round + 5000, 15)
        expect(dumpStore(store.dir, 'with snapshot'), `seed ${seed}`).toEqual(
          dumpStore(store.dir, 'log only'),
        )
      }
    }
  })

  it('is written when the tail is long, and only then', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    const note = 'x'.repeat(20_000)
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: { note } }])
    ledger.compactCache()
    expect(readdirSync(join(store.dir, 'cache'))).toEqual([])
    for (let i = 0; i < 6; i++) transact(ledger, () => [{ o: 'set', id: 'x', f: { note: `${i}${note}` } }])
    ledger.compactCache()
    expect(readdirSync(join(store.dir, 'cache'))).toEqual(['snap'])
    const before = statSync(snapshotPath(store)).ino
    transact(ledger, () => [{ o: 'set', id: 'x', f: { note } }])
    ledger.compactCache()
    store.open().compactCache()
    expect(statSync(snapshotPath(store)).ino).toBe(before)
  })

  it('with any byte changed never changes an answer', async () => {
    await using store = await tempStore()
    fill(store, 3, 120)
    store.open().compactCache(true)
    const expected = answers(store)
    const good = readFileSync(snapshotPath(store))
    const random = new Seeded(1)
    for (let i = 0; i < 250; i++) {
      const damaged = Buffer.from(good)
      const at = random.below(damaged.length)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8))
      writeFileSync(snapshotPath(store), damaged)
      expect(answers(store), `byte ${at}`).toEqual(expected)
    }
    for (const length of [0, 10, 200, 1000, good.length - 1]) {
      writeFileSync(snapshotPath(store), good.subarray(0, length))
      expect(answers(store), `cut at ${length}`).toEqual(expected)
    }
    writeFileSync(snapshotPath(store), Buffer.alloc(good.length))
    expect(answers(store), 'zeroes, as after a power cut').toEqual(expected)
  })

  it('larger than what is read at once is checked part by part', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    for (let i = 0; i < 40; i++) {
      const f = { status: i % 2 ? 'open' : 'closed', title: `${i}`, note: String(i).repeat(30_000) }
      transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f }])
    }
    ledger.compactCache(true)
    const expected = answers(store)
    const good = readFileSync(snapshotPath(store))
    expect(good.length).toBeGreaterThan(1024 * 1024)
    const random = new Seeded(2)
    for (let i = 0; i < 20; i++) {
      const damaged = Buffer.from(good)
      const at = random.below(i % 2 ? damaged.length : 4000)
      damaged[at] = (damaged[at] ?? 0) ^ 4
      writeFileSync(snapshotPath(store), damaged)
      expect(answers(store), `byte ${at}`).toEqual(expected)
    }
  })

  for (const use of ['own op', "another writer's op", 'next snapshot'] as const) {
    it(`with a damaged row stops no writer (${use}) and is not copied into the next one`, async () => {
      await using store = await tempStore({ segmentLimitBytes: 100_000_000 })
      const ledger = store.open()
      for (let i = 0; i < 40; i++) {
        const f = { status: 'open', title: `title-${i}-`, note: String(i).repeat(30_000) }
        transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f }])
      }
      ledger.compactCache(true)
      const damaged = readFileSync(snapshotPath(store))
      damaged.write('X', damaged.indexOf('title-7-'))
      writeFileSync(snapshotPath(store), damaged)
      const writer = store.open({
        onStep: (step) => {
          if (step !== 'before-write' || use !== "another writer's op") return
          writeChain(store.log, store.clone, 1, [
            ['2026-11-20T08:00:00.000Z', { o: 'say', id: 'b-7', x: 'other' }],
          ])
        },
      })
      transact(writer, () => [{ o: 'say', id: use === 'own op' ? 'b-7' : 'b-8', x: 'own' }])
      writer.compactCache(true)
      expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
      const texts = (id: string) =>
        store
          .open()
          .read()
          .comments(id)
          .map(({ text }) => text)
      const expected = {
        'own op': ['own'],
        "another writer's op": ['own', 'other'],
        'next snapshot': ['own'],
      }
      expect([...texts('b-8'), ...texts('b-7')]).toEqual(expected[use])
    })
  }

  it('that was deleted, or is of another version, is made again', async () => {
    await using store = await tempStore()
    fill(store, 4, 80)
    store.open().compactCache(true)
    const expected = answers(store)
    const other = readFileSync(snapshotPath(store))
    other.write('gtsnap-0', 0, 'latin1')
    expect(other.toString('latin1', 0, 8)).not.toBe(MAGIC)
    writeFileSync(snapshotPath(store), other)
    expect(answers(store)).toEqual(expected)
    rmSync(snapshotPath(store))
    expect(answers(store)).toEqual(expected)
    store.open().compactCache(true)
    expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
  })

  it('does not speak for a log that was replaced', async () => {
    await using store = await tempStore()
    writeChain(store.log, 'zzzzz', 1, [
      ['2026-11-20T08:00:00.000Z', { o: 'new', id: 'one', k: 'bead', f: {} }],
    ])
    store.open().compactCache(true)
    rmSync(join(store.log, 'zzzzz-000001.jsonl'))
    expect(store.open().read().get('one'), 'gone').toBeUndefined()
    writeChain(store.log, 'zzzzz', 1, [
      ['2026-11-20T08:00:00.000Z', { o: 'new', id: 'two', k: 'bead', f: {} }],
    ])
    const view = store.open().read()
    expect(view.get('one'), 'same length, other bytes').toBeUndefined()
    expect(view.get('two')).toBeDefined()
  })

  it('keeps answering for a view that opened it when a newer one took its place', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    for (let i = 0; i < 30; i++) {
      const f = { status: 'open', note: 'y'.repeat(50_000) }
      transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f }])
    }
    ledger.compactCache(true)
    const reader = store.open()
    const view = reader.read()
    transact(ledger, () => [{ o: 'move', id: 'b-3', gen: 2, f: { status: 'closed' } }])
    ledger.compactCache(true)
    expect(view.count({ kind: 'bead', status: 'open' })).toBe(30)
    expect(view.get('b-3')?.fields.status).toBe('open')
    expect(reader.read().get('b-3')?.fields.status).toBe('closed')
  })
})

/** Answers of a new process, of all kinds. */
function answers(store: TempStore) {
  const ledger = openLedger(store.dir, { sync: 'os' })
  try {
    const view = ledger.read()
    const beads = view.list({ kind: 'bead', status: ['open', 'closed'] })
    return {
      beads: beads.map((bead) => ({ ...bead, fields: { ...bead.fields } })),
      mails: view.count({ kind: 'mail' }),
      mine: view.list({ kind: 'bead', status: 'closed', assignee: 'a' }).map(({ id }) => id),
      each: beads.map(({ id, shownId }) => [view.get(id)?.updatedAt, view.resolve('bead', shownId).kind]),
      comments: beads.map(({ id }) => view.comments(id)),
      referrers: beads.map(({ id }) => view.referrers('bead', 'deps', `blocks:${id}`).length),
      events: view.events(),
      damage: view.damage,
      shown: view.shownLength('proj-aaaa0000000'),
      prefix: view.resolve('mail', 'proj-aaaa'),
    }
  } finally {
    ledger.close()
  }
}
