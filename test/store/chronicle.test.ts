import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { segmentName } from '../../src/store/layout.js'
import { openChronicle } from '../../src/store/open-chronicle.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { writeChain } from './support/chain-files.js'
import { tempStore, transact } from './support/temp-store.js'

const at = (minute: number) => `2026-11-20T09:${String(minute).padStart(2, '0')}:00.000Z`

describe('the history of an entity', () => {
  it('says who changed what, what was overtaken in its clone, and what another clone overruled', async () => {
    await using store = await tempStore()
    writeChain(store.log, 'aaaaa', 1, [
      [at(1), { o: 'head', format: 1 }],
      [at(2), { o: 'new', id: 'b-1', k: 'bead', f: { title: 'one', status: 'open' } }],
      [at(5), { o: 'move', id: 'b-1', gen: 2, f: { status: 'hooked', assignee: 'p/toast' } }],
      [
        at(6),
        { o: 'move', id: 'b-1', gen: 2, f: { status: 'hooked', assignee: 'p/late' } },
        { o: 'say', id: 'b-1', x: 'of a loser' },
      ],
      [
        at(7),
        { o: 'set', id: 'b-1', f: { title: 'two' } },
        { o: 'ev', type: 'bead.x', data: { bead: 'b-1' } },
      ],
      [at(8), { o: 'new', id: 'b-2', k: 'bead', f: { title: 'other' } }],
    ])
    writeChain(store.log, 'bbbbb', 1, [
      [at(1), { o: 'head', format: 1 }],
      [at(4), { o: 'move', id: 'b-1', gen: 2, f: { status: 'hooked', assignee: 'q/nux' } }],
      [at(3), { o: 'set', id: 'b-1', f: { title: 'zero' } }],
      [at(9), { o: 'say', id: 'b-1', x: 'noted' }, { o: 'add', id: 'b-1', f: 'labels', x: ['red'] }],
    ])
    const { entries, compactedUpTo } = openChronicle(store.dir).history('b-1')
    expect(compactedUpTo).toBeUndefined()
    const told = entries.map(({ at: when, by, verdict, kind, changes, comments, events }) => [
      when.slice(14, 16),
      by,
      verdict,
      kind,
      changes
        .map(({ field, from, to, added }) => `${field}:${String(from)}>${added?.join() ?? String(to)}`)
        .join(' '),
      ...comments.map(({ text }) => text),
      ...events.map(({ type }) => type),
    ])
    expect(told).toEqual([
      ['02', 'rig/aaaaa', 'counts', 'made', 'title:null>one status:null>open'],
      ['03', 'rig/bbbbb', 'counts', 'changed', 'title:one>zero'],
      ['04', 'rig/bbbbb', 'counts', 'changed', 'status:open>hooked assignee:null>q/nux'],
      ['05', 'rig/aaaaa', 'overruled', 'changed', 'assignee:q/nux>p/toast'],
      ['06', 'rig/aaaaa', 'void', 'changed', 'assignee:q/nux>p/late'],
      ['07', 'rig/aaaaa', 'counts', 'changed', 'title:zero>two', 'bead.x'],
      ['09', 'rig/bbbbb', 'counts', 'changed', 'labels:>red', 'noted'],
    ])
    expect(store.open().read().get('b-1')?.fields).toMatchObject({ title: 'two', assignee: 'q/nux' })
  })

  it('says where compaction left only the outcome', async () => {
    await using store = await tempStore({ segmentLimitBytes: 200 })
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'b-1', k: 'bead', f: { title: 'one', status: 'open' } }])
    for (const title of ['two', 'three'])
      transact(ledger, () => [{ o: 'set', id: 'b-1', f: { title } }], 'p/toast')
    transact(ledger, () => [{ o: 'say', id: 'b-1', x: 'kept' }], 'p/nux')
    expect(openChronicle(store.dir).history('b-1').entries).toHaveLength(4)
    await openUpkeep(store.dir, { sync: 'os' }).compact()
    transact(ledger, () => [{ o: 'set', id: 'b-1', f: { title: 'four' } }])
    const { entries, compactedUpTo } = openChronicle(store.dir).history('b-1')
    expect(compactedUpTo).toBeDefined()
    expect(entries.map(({ kind }) => kind)).toEqual(['outcome', 'changed'])
    expect(entries[0]?.changes).toContainEqual({ field: 'title', from: null, to: 'three' })
    expect(entries[0]?.comments).toMatchObject([{ by: 'p/nux', text: 'kept' }])
    expect(entries[1]?.changes).toEqual([{ field: 'title', from: 'three', to: 'four' }])
    const records = [...openChronicle(store.dir).records()]
    expect(records.at(-1)?.base).toEqual({ entities: 1 })
  })
})

describe('the records of the log', () => {
  it('come newest first over all chains and files, torn pieces left out', async () => {
    await using store = await tempStore()
    for (const [clone, first] of [
      ['aaaaa', 1],
      ['bbbbb', 2],
    ] as const) {
      for (let segment = 1; segment <= 3; segment++) {
        const minute = (i: number) => at(first + 2 * (segment * 3 + i))
        writeChain(store.log, clone, segment, [
          [minute(0), { o: 'head', format: 1 }],
          [minute(1), { o: 'ev', type: 'e', data: { n: segment, bead: `b-${segment}` } }],
          [minute(2), { o: 'ev', type: 'e', data: {} }],
          [minute(2), { o: 'seal' }],
          [at(59), { o: 'ev', type: 'behind the seal', data: {} }],
        ])
      }
    }
    const open = segmentName('aaaaa', 4)
    appendFileSync(join(store.log, open), '{"t":"2026-11-20T09:58')
    const records = [...openChronicle(store.dir).records()]
    expect(records).toHaveLength(12)
    const stamps = records.map(({ stamp }) => stamp)
    expect(stamps).toEqual([...stamps].sort().reverse())
    const chronicle = openChronicle(store.dir)
    expect([...chronicle.records({ by: 'rig/aaaaa' })]).toHaveLength(6)
    expect([...chronicle.records({ mentions: 'b-2' })].map(({ clone }) => clone)).toEqual(['bbbbb', 'aaaaa'])
    expect([...chronicle.records({ since: at(17), until: at(23) })].map(({ at: when }) => when)).toEqual([
      at(22),
      at(21),
      at(18),
      at(17),
    ])
  })

  it('are read file by file, only as far as they are taken', async () => {
    await using store = await tempStore({ segmentLimitBytes: 300 })
    const ledger = store.open()
    for (let i = 0; i < 20; i++) transact(ledger, () => [{ o: 'ev', type: 'e', data: { i } }])
    const chronicle = openChronicle(store.dir)
    const iterator = chronicle.records()[Symbol.iterator]()
    expect(iterator.next().value).toMatchObject({ ops: [{ data: { i: 19 } }] })
    // Compacted away meanwhile: the rest is the base and what it kept.
    await openUpkeep(store.dir, { sync: 'os' }).compact()
    expect(readdirSync(store.log).some((name) => name.includes('.base'))).toBe(true)
    const rest: number[] = []
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      const [op] = next.value.ops as { data?: { i: number } }[]
      if (op?.data !== undefined) rest.push(op.data.i)
    }
    expect(rest).toEqual(Array.from({ length: 19 }, (_, i) => 18 - i))
  })
})
