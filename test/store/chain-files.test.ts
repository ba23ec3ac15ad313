import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { type EntityState, emptyState } from '../../src/store/entity-state.js'
import { EntityTable } from '../../src/store/entity-table.js'
import { applyRecord } from '../../src/store/fold.js'
import { baseName, segmentName, storePaths } from '../../src/store/layout.js'
import { LogState } from '../../src/store/log-state.js'
import { packState } from '../../src/store/packed-state.js'
import { encodeRecord, type LogOp } from '../../src/store/record-line.js'
import { recordLine, type Written, writeBase, writeChain } from './support/chain-files.js'
import { dumpStore, dumpTable } from './support/dump.js'
import { randomChains } from './support/histories.js'
import { Seeded } from './support/seeded.js'
import { tempStore, transact } from './support/temp-store.js'

const FOREIGN = 'zzzzz'

function time(second: number): string {
  return new Date(Date.parse('2026-11-20T09:00:00.000Z') + second * 1000).toISOString()
}

describe("another clone's files", () => {
  it('are folded in beside our own, and our moves build on theirs', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: { status: 'open', title: 'theirs' } }],
      [time(1), { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'a/b' } }],
    ])
    const ledger = store.open()
    expect(ledger.read().get('x')).toMatchObject({
      generation: 2,
      fields: { assignee: 'a/b', title: 'theirs' },
    })
    transact(ledger, (view): Op[] => [
      { o: 'move', id: 'x', gen: (view.get('x')?.generation ?? 0) + 1, f: { status: 'closed' } },
      { o: 'set', id: 'x', f: { title: 'ours' } },
    ])
    expect(store.open().read().get('x')).toMatchObject({
      generation: 3,
      fields: { status: 'closed', title: 'ours' },
    })
  })

  it('are seen in parts, in any byte-wise pieces, exactly as at once', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      await using store = await tempStore()
      const random = new Seeded(seed)
      const chains = randomChains(random, 60)
      const files = chains.map((chain) => ({ clone: chain.clone, bytes: tornChain(chain.records, random) }))
      const watching = new LogState(storePaths(store.dir), Date.now)
      const sent = files.map(() => 0)
      while (files.some(({ bytes }, i) => (sent[i] ?? 0) < bytes.length)) {
        const i = random.below(files.length)
        const file = files[i]
        const from = sent[i] ?? 0
        if (file === undefined || from >= file.bytes.length) continue
        const upTo = Math.min(file.bytes.length, from + random.below(random.chance(0.5) ? 40 : 900))
        appendFileSync(join(store.log, segmentName(file.clone, 1)), file.bytes.subarray(from, upTo))
        sent[i] = upTo
        if (random.chance(0.5)) watching.refresh()
        if (random.chance(0.05)) store.open().compactCache(true)
      }
      watching.refresh()
      const expected = dumpStore(store.dir, 'log only')
      expect(expected.damage).toMatchObject({ badLines: 0 })
      expect({ ...dumpTable(watching.table), damage: watching.table.damage }, `seed ${seed}`).toEqual(
        expected,
      )
      expect(dumpStore(store.dir, 'with snapshot'), `seed ${seed}`).toEqual(expected)
    }
  })

  it('may come back: a missing segment is counted, and read when it turns up', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: {} }],
      [time(1), { o: 'seal' }],
    ])
    writeChain(store.log, FOREIGN, 2, [
      [time(2), { o: 'say', id: 'x', x: 'two' }],
      [time(3), { o: 'seal' }],
    ])
    writeChain(store.log, FOREIGN, 3, [[time(4), { o: 'say', id: 'x', x: 'three' }]])
    const second = join(store.log, segmentName(FOREIGN, 2))
    renameSync(second, `${store.dir}/aside`)
    const ledger = store.open()
    expect(
      ledger
        .read()
        .comments('x')
        .map(({ text }) => text),
    ).toEqual(['three'])
    expect(ledger.read().damage.badLines).toBe(1)
    ledger.compactCache(true)
    renameSync(`${store.dir}/aside`, second)
    for (const view of [ledger.read(), store.open().read()]) {
      expect(view.comments('x').map(({ text }) => text)).toEqual(['two', 'three'])
      expect(view.damage.badLines).toBe(0)
    }
  })
})

/** Lines of a chain with what dying writers leave: torn pieces before, glued to the next line or ended by it. */
function tornChain(records: readonly { t: string; by: string; ops: unknown[] }[], random: Seeded): Buffer {
  const pieces: Buffer[] = []
  for (const { t, by, ops } of records) {
    const line = encodeRecord(t, by, ops as Parameters<typeof encodeRecord>[2])
    if (random.chance(0.3)) {
      pieces.push(line.subarray(0, 1 + random.below(line.length - 20)))
      if (random.chance(0.5)) pieces.push(Buffer.from('\n'))
    }
    // Only the newline missing, and the next writer saw it or did not.
    pieces.push(random.chance(0.1) ? line.subarray(0, -1) : line)
    if (random.chance(0.05)) pieces.push(Buffer.from('\n'))
  }
  return Buffer.concat(pieces)
}

describe('segments', () => {
  it('end at their seal: what follows in the file is void', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: {} }],
      [time(1), { o: 'seal' }],
      [time(2), { o: 'say', id: 'x', x: 'too late' }],
    ])
    expect(store.open().read().get('x')?.commentCount).toBe(0)
  })

  it('are closed by a later one when a power cut took the seal', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [[time(0), { o: 'new', id: 'x', k: 'bead', f: {} }]])
    appendFileSync(join(store.log, segmentName(FOREIGN, 1)), '{"t":"2026-11-2')
    writeChain(store.log, FOREIGN, 2, [[time(1), { o: 'say', id: 'x', x: 'next' }]])
    const view = store.open().read()
    expect(view.get('x')?.commentCount).toBe(1)
    expect(view.damage).toEqual({ tornLines: 1, badLines: 0, unknownOps: 0 })
  })

  it('are sealed when long; writers go on in the next, and every line is found', async () => {
    await using store = await tempStore({ segmentLimitBytes: 2000 })
    const ledger = store.open()
    for (let i = 0; i < 60; i++) {
      transact(ledger, () => [{ o: 'new', id: `b-${i}`, k: 'bead', f: {} }])
    }
    const first = readFileSync(join(store.log, segmentName(store.clone, 1)), 'utf8')
      .trimEnd()
      .split('\n')
    expect(first[0]).toContain('{"o":"head","format":1}')
    expect(first.at(-1)).toContain('{"o":"seal"}')
    expect(readFileSync(join(store.log, segmentName(store.clone, 4)), 'utf8')).toContain('"head"')
    expect(store.open().read().count({ kind: 'bead' })).toBe(60)
  })

  it('that was sealed under a writer makes it write again, once', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    let sealed = false
    const other = store.open({
      onStep: (step) => {
        if (step !== 'before-write' || sealed) return
        sealed = true
        writeChain(store.log, store.clone, 1, [[time(99), { o: 'seal' }]])
      },
    })
    transact(other, () => [{ o: 'say', id: 'x', x: 'hello' }])
    expect(store.open().read().comments('x')).toHaveLength(1)
    expect(readFileSync(join(store.log, segmentName(store.clone, 2)), 'utf8')).toContain('hello')
  })

  it('with a torn tail are repaired by the next writer', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    const torn = recordLine(store.clone, [time(5), { o: 'say', id: 'x', x: 'lost' }]).subarray(0, 70)
    appendFileSync(join(store.log, segmentName(store.clone, 1)), torn)
    transact(ledger, () => [{ o: 'say', id: 'x', x: 'kept' }])
    const lines = readFileSync(join(store.log, segmentName(store.clone, 1)), 'utf8').split('\n')
    expect(lines).toContain(torn.toString())
    // And when the writer looked just before the other died:
    const unlucky = store.open({
      onStep: (step) => {
        if (step === 'before-write') appendFileSync(join(store.log, segmentName(store.clone, 1)), torn)
      },
    })
    transact(unlucky, () => [{ o: 'say', id: 'x', x: 'kept too' }])
    for (const view of [ledger.read(), store.open().read()]) {
      expect(view.comments('x').map(({ text }) => text)).toEqual(['kept', 'kept too'])
      expect(view.damage).toEqual({ tornLines: 2, badLines: 0, unknownOps: 0 })
    }
  })

  it('whose last record lacks only its newline have it, and the next writer ends the line', async () => {
    await using store = await tempStore()
    const path = join(store.log, segmentName(store.clone, 1))
    writeChain(store.log, store.clone, 1, [[time(0), { o: 'new', id: 'x', k: 'bead', f: {} }]])
    appendFileSync(
      path,
      recordLine(store.clone, [time(1), { o: 'say', id: 'x', x: 'whole' }]).subarray(0, -1),
    )
    const ledger = store.open()
    expect(ledger.read().comments('x')).toHaveLength(1)
    transact(store.open(), () => [{ o: 'say', id: 'x', x: 'next' }])
    const glued = recordLine(store.clone, [time(2), { o: 'say', id: 'x', x: 'glued' }])
    appendFileSync(path, Buffer.concat([glued.subarray(0, 50), glued.subarray(0, -1)]))
    expect(ledger.read().comments('x')).toHaveLength(3)
    transact(store.open(), () => [{ o: 'say', id: 'x', x: 'last' }])
    for (const view of [ledger.read(), store.open().read()]) {
      expect(view.comments('x')).toHaveLength(4)
      expect(view.damage.tornLines).toBe(1)
    }
  })

  it('of which a byte rotted lose that line only, and say so', async () => {
    await using store = await tempStore()
    writeChain(store.log, FOREIGN, 1, [
      [time(0), { o: 'new', id: 'x', k: 'bead', f: { title: 'one' } }],
      [time(1), { o: 'say', id: 'x', x: 'rotten' }],
      [time(2), { o: 'say', id: 'x', x: 'fine' }],
    ])
    const path = join(store.log, segmentName(FOREIGN, 1))
    writeFileSync(path, readFileSync(path, 'utf8').replace('rotten', 'rottem'))
    const view = store.open().read()
    expect(view.comments('x').map(({ text }) => text)).toEqual(['fine'])
    expect(view.damage).toEqual({ tornLines: 0, badLines: 1, unknownOps: 0 })
  })
})

/** As compaction will write it. */
function stateLine(state: EntityState): LogOp {
  const { ch: _, ...packed } = packState(state)
  return { o: 'st', ...packed }
}

describe('base files', () => {
  it('stand for the segments they cover, for new readers and for those in the middle', async () => {
    await using store = await tempStore()
    const random = new Seeded(5)
    const [chain] = randomChains(random, 120)
    if (chain === undefined) throw new Error('no chain')
    const half = Math.floor(chain.records.length / 4) * 2
    const path = (number: number) => join(store.log, segmentName(chain.clone, number))
    const write = (number: number, records: typeof chain.records) => {
      for (const { t, by, ops } of records) {
        appendFileSync(path(number), encodeRecord(t, by, ops as Parameters<typeof encodeRecord>[2]))
      }
    }
    write(1, chain.records.slice(0, half / 2))
    const inTheMiddle = store.open()
    inTheMiddle.read()
    inTheMiddle.compactCache(true)
    write(1, chain.records.slice(half / 2, half))
    appendFileSync(path(1), recordLine(chain.clone, [time(9000), { o: 'seal' }]))
    const upToDate = new LogState(storePaths(store.dir), Date.now)
    upToDate.refresh()
    write(2, chain.records.slice(half))
    const expected = dumpStore(store.dir, 'log only')

    const table = new EntityTable(undefined, Date.now)
    for (const record of chain.records.slice(0, half)) applyRecord(table, chain.clone, record)
    const states = [...table.overlay.values()].filter(({ last }) => last !== '')
    writeBase(store.log, chain.clone, 1, [
      ...states.map((state): Written => [time(0), stateLine(state)]),
      [time(0), { o: 'base', upto: 1, n: states.length }],
    ])
    for (const { mark, by, type, data } of table.events) {
      const op: LogOp = { o: 'ev', type, data, i: Number.parseInt(mark.slice(43), 16) }
      appendFileSync(join(store.log, baseName(chain.clone, 1)), encodeRecord(mark.slice(0, 42), by, [op]))
    }
    expect(dumpStore(store.dir, 'log only'), 'both present').toEqual(expected)
    rmSync(path(1))
    expect(dumpStore(store.dir, 'log only'), 'segment deleted').toEqual(expected)
    expect(dumpStore(store.dir, 'with snapshot'), 'snapshot from before').toEqual(expected)
    upToDate.refresh()
    expect({ ...dumpTable(upToDate.table), damage: upToDate.table.damage }, 'read before').toEqual(expected)
    expect(inTheMiddle.read().count({ kind: 'bead' })).toBe(store.open().read().count({ kind: 'bead' }))
  })

  it('without their trailer are read and reported', async () => {
    await using store = await tempStore()
    const last = `${time(0)}-0000-zzzzz-000000`
    const state: EntityState = {
      ...emptyState('x'),
      k: 'bead',
      born: [`${last}.0000`, 'human'],
      gen: 1,
      last,
    }
    writeBase(store.log, FOREIGN, 3, [[time(0), stateLine(state)]])
    const view = store.open().read()
    expect(view.get('x')?.kind).toBe('bead')
    expect(view.damage.badLines).toBe(1)
  })

  it('are never written over: a writer opens the number after them', async () => {
    await using store = await tempStore()
    writeBase(store.log, store.clone, 7, [[time(0), { o: 'base', upto: 7, n: 0 }]])
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    expect(readFileSync(join(store.log, segmentName(store.clone, 8)), 'utf8')).toContain('"new"')
    expect(store.open().read().get('x')).toBeDefined()
  })
})
