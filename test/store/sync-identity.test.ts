import { appendFileSync, cpSync, existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { recordLine } from './support/chain-files.js'
import { allLines, beads, claim, cloneOf, copyOf, expectSame, make } from './support/machines.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

describe('a clone id that is in use twice', () => {
  it('is given up by the second who sends; no line of either is lost, none counts twice', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine({ segmentLimitBytes: 2000 })
    make(a, 'shared-1', 'shared-2')
    await a.sync()
    await using b = copyOf(a, remote, true)
    expect(cloneOf(b)).toBe(a.clone)
    for (let i = 0; i < 8; i++) {
      make(a, `a-${i}`)
      make(b, `b-${i}`)
    }
    claim(a, 'shared-1', 'proj/toast')
    // Later by the clock: within one millisecond chance would decide.
    await sleep(5)
    claim(b, 'shared-1', 'proj/nux')
    claim(b, 'shared-2', 'proj/nux')
    const written = new Set([...allLines(a), ...allLines(b)])
    expect((await a.sync()).renamed).toBeUndefined()
    const receipt = await b.sync()
    expect(receipt.renamed).toMatchObject({ from: a.clone, records: 10 })
    expect(cloneOf(b)).toBe(receipt.renamed?.to)
    await a.sync()
    await b.sync()
    expectSame(a, b)
    expect(beads(a)).toHaveLength(18)
    expect(a.open().read().get('shared-1')?.fields.assignee).toBe('proj/toast')
    expect(a.open().read().get('shared-2')?.fields.assignee).toBe('proj/nux')
    // Verbatim: each line is there exactly once.
    for (const machine of [a, b]) {
      const lines = allLines(machine)
      expect(new Set(lines)).toEqual(written)
      expect(lines).toHaveLength(written.size)
    }
    expect((await b.sync()).renamed).toBeUndefined()
    make(b, 'b-after')
    make(a, 'a-after')
    await b.sync()
    await a.sync()
    await b.sync()
    expectSame(a, b)
    expect(await b.sync()).toMatchObject({ sent: { bytes: 0 }, received: [], refused: [] })
  })

  it('leaves lines void that were void, though in a chain of their own they would count', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    await using b = copyOf(a, remote, true)
    claim(a, 'x', 'proj/first')
    await a.sync()
    const [one, two] = [b.open(), b.open()]
    one.read()
    // A loser's line stays in the file; the winner's is one that the remote has, too.
    transact(two, () => [
      { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'proj/winner' } },
      { o: 'say', id: 'x', x: 'winner' },
    ])
    appendVoid(b)
    await b.sync()
    await a.sync()
    const view = a.open().read()
    expect(view.comments('x').map(({ text }) => text)).toEqual(['winner'])
    expectSame(a, b)
  })

  it('by a copied folder is noticed at once; the old chain goes out under its own name', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'never-sent')
    await using b = copyOf(a, remote, false)
    make(b, 'b-1')
    expect(cloneOf(b)).not.toBe(a.clone)
    await b.sync()
    expect(remote.git('for-each-ref', '--format=%(refname:lstrip=-1)').trim().split('\n').sort()).toEqual(
      [a.clone, cloneOf(b)].sort(),
    )
    make(a, 'a-1')
    expect((await a.sync()).renamed).toBeUndefined()
    await b.sync()
    await a.sync()
    expect(beads(a)).toEqual(['a-1', 'b-1', 'never-sent'])
    expectSame(a, b)
  })

  it('by a copy of a folder that had not sent all sends it for both', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'sent')
    await a.sync()
    make(a, 'not-sent')
    await using b = copyOf(a, remote, false)
    make(b, 'b-1')
    expect(await b.sync()).toMatchObject({ refused: [], sent: { records: 3 } })
    expect(await b.sync()).toMatchObject({ refused: [], sent: { bytes: 0 } })
    make(a, 'a-1')
    const receipt = await a.sync()
    expect(receipt.renamed).toBeUndefined()
    expect(receipt).toMatchObject({ refused: [], sent: { records: 1 } })
    await b.sync()
    expect(beads(b)).toEqual(['a-1', 'b-1', 'not-sent', 'sent'])
    expectSame(a, b)
  })

  it('takes over what only the copy has of the old chain', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    await using c = copyOf(a, remote, false)
    await using image = copyOf(a, remote, true)
    // The image writes on under the old id, is then copied, and that copy is the only one that lives.
    make(image, 'only-here')
    claim(image, 'x', 'proj/only')
    await using b = copyOf(image, remote, false)
    make(a, 'a-1')
    await a.sync()
    make(b, 'b-1')
    expect((await b.sync()).renamed).toBeUndefined()
    await a.sync()
    await b.sync()
    await c.sync()
    expect(beads(a)).toEqual(['a-1', 'b-1', 'only-here', 'x'])
    expect(a.open().read().get('x')?.fields.assignee).toBe('proj/only')
    expect(a.open().read().events({ type: 'claimed' })).toHaveLength(1)
    expectSame(a, b, c)
    expect(await b.sync()).toMatchObject({ sent: { bytes: 0 }, received: [], refused: [] })
  })

  it('shows in a backup that was put back: what it lacks comes again from the remote', async () => {
    await using remote = await sharedRemote()
    const [a, other] = [await remote.machine({ segmentLimitBytes: 600 }), await remote.machine()]
    make(a, 'old-1', 'old-2')
    await a.sync()
    const backup = join(a.dir, '..', 'backup')
    cpSync(a.log, backup, { recursive: true })
    for (let i = 0; i < 6; i++) make(a, `new-${i}`)
    await a.sync()
    await other.sync()
    rmSync(a.log, { recursive: true })
    renameSync(backup, a.log)
    expect(beads(a)).toEqual(['old-1', 'old-2'])
    make(a, 'after')
    const receipt = await a.sync()
    expect(receipt.renamed).toMatchObject({ from: a.clone, records: 1 })
    await other.sync()
    expect(beads(a)).toHaveLength(9)
    expectSame(a, other)
  })

  it('lets a process that still has the old id write on under the new one', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine()
    make(a, 'x')
    await a.sync()
    await using b = copyOf(a, remote, true)
    make(a, 'a-1')
    await a.sync()
    const long = b.open()
    transact(long, () => [{ o: 'new', id: 'b-1', k: 'bead', f: {} }])
    const { renamed } = await b.sync()
    transact(long, () => [{ o: 'new', id: 'b-2', k: 'bead', f: {} }])
    expect(long.clone).toBe(renamed?.to)
    await b.sync()
    await a.sync()
    expect(beads(a)).toEqual(['a-1', 'b-1', 'b-2', 'x'])
    expectSame(a, b)
    expect(existsSync(join(b.dir, 'local/next-clone'))).toBe(false)
  })

  it('keeps lines that a process wrote in the very moment', async () => {
    await using remote = await sharedRemote()
    for (const step of ['sync:id-prepared', 'sync:id-taken', 'sync:id-sealed', 'sync:segment-written']) {
      const a = await remote.machine()
      make(a, `${a.clone}-x`)
      await a.sync()
      const b = copyOf(a, remote, true)
      make(a, `${a.clone}-a`)
      await a.sync()
      make(b, `${a.clone}-b`)
      const late = b.open()
      late.read()
      let isDone = false
      const onStep = (at: string) => {
        if (at !== step || isDone) return
        isDone = true
        transact(late, () => [{ o: 'new', id: `${a.clone}-late`, k: 'bead', f: {} }])
      }
      await b.sync({ options: { onStep } })
      expect(isDone, step).toBe(true)
      await b.sync()
      await a.sync()
      const own = beads(a).filter((id) => id.startsWith(a.clone))
      expect(own, step).toEqual(['a', 'b', 'late', 'x'].map((name) => `${a.clone}-${name}`))
      expectSame(a, b)
      await b[Symbol.asyncDispose]()
    }
  })

  it('shows though a base covers the numbers of the segments that the other wrote', async () => {
    await using remote = await sharedRemote()
    const a = await remote.machine({ segmentLimitBytes: 600 })
    make(a, 'x')
    await a.sync()
    await using b = copyOf(a, remote, true)
    for (let i = 0; i < 3; i++) make(b, `b-${i}`)
    await b.sync()
    for (let i = 0; i < 20; i++) transact(a.open({ segmentLimitBytes: 600 }), () => made(`a-${i}`))
    expect((await a.upkeep().compact()).upTo).toBeGreaterThan(3)
    // b is never seen again: what it sent must not go with it.
    expect((await a.sync()).renamed).toMatchObject({ from: a.clone })
    await a.sync()
    expect(beads(a).filter((id) => id.startsWith('b-'))).toEqual(['b-0', 'b-1', 'b-2'])
    await using fresh = await remote.machine()
    await fresh.sync()
    expect(beads(fresh)).toHaveLength(24)
    expectSame(a, fresh)
  })

  it('keeps lines that a process wrote in the very moment, though the other has compacted', async () => {
    await using remote = await sharedRemote()
    for (const step of ['sync:id-prepared', 'sync:id-taken', 'sync:id-sealed']) {
      const a = await remote.machine({ segmentLimitBytes: 600 })
      make(a, `${a.clone}-x`)
      await a.sync()
      const b = copyOf(a, remote, true)
      for (let i = 0; i < 20; i++) transact(a.open({ segmentLimitBytes: 600 }), () => made(`${a.clone}-${i}`))
      expect((await a.upkeep().compact()).upTo).toBeGreaterThan(3)
      await a.sync()
      make(b, `${a.clone}-b`)
      const late = b.open()
      late.read()
      const onStep = (at: string) => {
        if (at === step) transact(late, () => made(`${a.clone}-late`))
      }
      await b.sync({ options: { onStep } })
      await b.sync()
      await a.sync()
      const own = beads(a).filter((id) => id.startsWith(a.clone))
      expect(own, step).toContain(`${a.clone}-late`)
      expect(own, step).toHaveLength(23)
      expectSame(a, b)
      await b[Symbol.asyncDispose]()
    }
  })
})

function made(id: string): Op[] {
  return [{ o: 'new', id, k: 'bead', f: { status: 'open', title: id } }]
}

/** A second claim of the same generation, as a process that lost the race leaves it. */
function appendVoid(machine: Machine): void {
  const line = recordLine(machine.clone, [
    '2026-11-20T08:00:00.000Z',
    { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'proj/loser' } },
    { o: 'say', id: 'x', x: 'loser' },
  ])
  appendFileSync(join(machine.log, `${machine.clone}-000001.jsonl`), line)
}
