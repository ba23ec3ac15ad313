import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BugError, ConfigError, ConflictError, type GtError } from '../../src/domain/errors.js'
import type { Decision } from '../../src/ports/ledger.js'
import { writeError } from '../../src/store/store-errors.js'
import { writeChain } from './support/chain-files.js'
import { tempStore, transact } from './support/temp-store.js'

const NOW = Date.parse('2026-11-20T09:00:00.000Z')

function caught(work: () => unknown): GtError {
  try {
    work()
  } catch (error) {
    return error as GtError
  }
  throw new Error('nothing was thrown')
}

describe('transact', () => {
  it('returns the decision, and what it wrote is there for every process', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    const decision = ledger.transact('proj/toast', () => ({
      ops: [
        {
          o: 'new',
          id: 'issue-1',
          k: 'bead',
          f: { title: 'First', status: 'open', nested: { a: [1, null] } },
        },
        { o: 'add', id: 'issue-1', f: 'labels', x: ['red', 'blue'] },
        { o: 'say', id: 'issue-1', x: 'hello' },
      ],
      made: 'issue-1',
    }))
    expect(decision.made).toBe('issue-1')
    for (const view of [ledger.read(), store.open().read()]) {
      expect(view.get('issue-1')).toMatchObject({
        shownId: 'issue-1',
        kind: 'bead',
        generation: 1,
        fields: { title: 'First', status: 'open', nested: { a: [1, null] } },
        sets: { labels: ['blue', 'red'] },
        commentCount: 1,
        createdBy: 'proj/toast',
      })
      expect(view.comments('issue-1')).toMatchObject([{ by: 'proj/toast', text: 'hello' }])
      expect(view.referrers('bead', 'labels', 'red').map(({ id }) => id)).toEqual(['issue-1'])
    }
  })

  it('writes nothing without ops', async () => {
    await using store = await tempStore()
    const refusal: Decision & { kind: string } = { kind: 'refused' }
    expect(store.open().transact('human', () => refusal)).toBe(refusal)
    expect(readdirSync(store.log)).toEqual([])
  })

  it('decides again on the fresh view when another process was first', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: { status: 'open' } }])
    const other = store.open()
    let calls = 0
    const decision = store.open().transact('proj/late', (view) => {
      const bead = view.get('x')
      if (bead?.fields.assignee !== undefined) return { taken: bead.fields.assignee }
      if (calls++ === 0) {
        transact(other, () => [
          { o: 'move', id: 'x', gen: 2, f: { status: 'hooked', assignee: 'proj/first' } },
        ])
      }
      return {
        ops: [
          { o: 'move' as const, id: 'x', gen: 2, f: { status: 'hooked', assignee: 'proj/late' } },
          { o: 'say' as const, id: 'x', x: 'mine' },
        ],
      }
    })
    expect(decision).toEqual({ taken: 'proj/first' })
    expect(store.open().read().get('x')).toMatchObject({
      commentCount: 0,
      fields: { assignee: 'proj/first' },
    })
  })

  it('gives up after 50 lost races and says so', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    const other = store.open()
    let tries = 0
    const error = caught(() =>
      transact(store.open(), (view) => {
        tries++
        const gen = (view.get('x')?.generation ?? 0) + 1
        transact(other, () => [{ o: 'move', id: 'x', gen, f: { status: 'open' } }])
        return [{ o: 'move', id: 'x', gen, f: { status: 'closed' } }]
      }),
    )
    expect(error).toBeInstanceOf(ConflictError)
    expect(error.code).toBe('ledger-contention')
    expect(tries).toBe(50)
  })

  it('refuses what its own view rules out, before writing', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    const before = readdirSync(store.log)
    const code = (...ops: Parameters<typeof transact>[1] extends (v: never) => infer R ? R : never) =>
      caught(() => transact(ledger, () => ops)).code
    expect(code({ o: 'new', id: 'x', k: 'bead', f: {} })).toBe('id-used')
    expect(code({ o: 'move', id: 'x', gen: 2, f: {} }, { o: 'move', id: 'x', gen: 2, f: {} })).toBe(
      'stale-generation',
    )
    expect(code({ o: 'set', id: 'x', f: { status: 'closed' } })).toBe('guarded-field')
    expect(code({ o: 'say', id: 'nobody', x: 'hi' })).toBe('unknown-entity')
    expect(code({ o: 'new', id: '', k: 'bead', f: {} })).toBe('bad-op')
    expect(code({ o: 'set', id: 'x', f: { body: { $blob: 'a'.repeat(64) } } })).toBe('reserved-value')
    expect(readdirSync(store.log)).toEqual(before)
    expect(caught(() => transact(ledger, () => [{ o: 'gone', id: 'nobody' }]))).toBeInstanceOf(BugError)
  })

  it('does not give the id of a deleted entity again', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    transact(ledger, () => [{ o: 'gone', id: 'x' }])
    expect(ledger.read().get('x')).toBeUndefined()
    expect(ledger.read().count({ kind: 'bead' })).toBe(0)
    expect(caught(() => transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])).code).toBe(
      'id-used',
    )
  })

  it('clears a field with null and keeps odd names apart from the language', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    const odd = JSON.parse('{"__proto__":"p","constructor":"c","title":"T"}')
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: odd }])
    transact(ledger, () => [{ o: 'set', id: 'x', f: { title: null, hasOwnProperty: 'h' } }])
    transact(ledger, () => [{ o: 'add', id: 'x', f: '__proto__', x: ['constructor', '__proto__'] }])
    ledger.compactCache(true)
    for (const view of [ledger.read(), store.open().read()]) {
      const entity = view.get('x')
      expect(Object.entries(entity?.fields ?? {}).sort()).toEqual([
        ['__proto__', 'p'],
        ['constructor', 'c'],
        ['hasOwnProperty', 'h'],
      ])
      expect(Object.entries(entity?.sets ?? {})).toEqual([['__proto__', ['__proto__', 'constructor']]])
      expect(view.get('constructor')).toBeUndefined()
    }
  })

  it('overrides a field that a clock from the future wrote, and only that stamp runs ahead', async () => {
    await using store = await tempStore()
    writeChain(store.log, 'zzzzz', 1, [
      ['2026-11-20T08:00:00.000Z', { o: 'new', id: 'x', k: 'bead', f: {} }],
      ['2099-01-01T00:00:00.000Z', { o: 'set', id: 'x', f: { title: 'future' } }],
    ])
    const ledger = store.open({ clock: { now: () => NOW } })
    transact(ledger, () => [{ o: 'set', id: 'x', f: { title: 'now' } }])
    transact(ledger, () => [{ o: 'new', id: 'y', k: 'bead', f: {} }])
    expect(ledger.read().get('x')?.fields.title).toBe('now')
    expect(ledger.read().get('y')?.createdAt.slice(0, 10)).toBe('2026-11-20')
    // A clock that is a little ahead is followed all the same, or our later change would look older than theirs.
    writeChain(store.log, 'zzzzz', 1, [['2026-11-20T09:30:00.000Z', { o: 'ev', type: 'e', data: {} }]])
    transact(ledger, () => [{ o: 'new', id: 'z', k: 'bead', f: {} }])
    expect(ledger.read().get('z')?.createdAt).toBe('2026-11-20T09:30:00.000Z')
  })
})

describe('a store of a newer format', () => {
  it('is read but not written', async () => {
    await using store = await tempStore()
    writeChain(store.log, 'zzzzz', 1, [
      ['2026-11-20T08:00:00.000Z', { o: 'head', format: 2 }],
      ['2026-11-20T08:00:00.001Z', { o: 'new', id: 'x', k: 'bead', f: {} }],
    ])
    const ledger = store.open()
    expect(ledger.read().get('x')).toBeDefined()
    ledger.compactCache(true)
    for (const opened of [ledger, store.open()]) {
      const error = caught(() => transact(opened, () => [{ o: 'say', id: 'x', x: 'no' }]))
      expect(error).toBeInstanceOf(ConfigError)
      expect(error.code).toBe('store-format')
    }
  })
})

describe('long texts', () => {
  const long = `ä${'x'.repeat(70_000)}`

  it('lie in blobs and come back whole', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [
      { o: 'new', id: 'x', k: 'bead', f: { body: long, short: 'y'.repeat(65_536) } },
      { o: 'say', id: 'x', x: long },
      { o: 'ev', type: 'e', data: { text: long } },
    ])
    expect(readdirSync(join(store.dir, 'blob'))).toHaveLength(1)
    ledger.compactCache(true)
    const view = store.open().read()
    expect(view.get('x')?.fields.body).toBe(long)
    expect(JSON.parse(JSON.stringify(view.get('x')?.fields)).body).toBe(long)
    expect(view.comments('x')[0]?.text).toBe(long)
    expect(view.events()[0]?.data.text).toBe(long)
  })

  it('that are missing are named, and hide nothing else', async () => {
    await using store = await tempStore()
    transact(store.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: { body: long, title: 'T' } }])
    for (const name of readdirSync(join(store.dir, 'blob'))) rmSync(join(store.dir, 'blob', name))
    const entity = store.open().read().get('x')
    expect(entity?.fields.title).toBe('T')
    expect(entity?.fields.body).toMatch(/^\[text missing: blob\/[0-9a-f]{64}\]$/)
  })
})

describe('queries', () => {
  it('select by kind, status and assignee in order of creation, from snapshot and tail alike', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    for (const id of ['c', 'a', 'b', 'd']) {
      transact(ledger, () => [{ o: 'new', id, k: 'bead', f: { status: 'open', assignee: 'proj/one' } }])
    }
    transact(ledger, () => [{ o: 'new', id: 'm', k: 'mail', f: { status: 'open', assignee: 'proj/one' } }])
    ledger.compactCache(true)
    transact(ledger, () => [{ o: 'move', id: 'a', gen: 2, f: { status: 'closed', assignee: 'proj/two' } }])
    transact(ledger, () => [{ o: 'new', id: 'e', k: 'bead', f: { status: 'open' } }])
    for (const view of [ledger.read(), store.open().read()]) {
      const ids = (query: Parameters<typeof view.list>[0]) => {
        const found = view.list(query).map(({ id }) => id)
        expect(view.count(query)).toBe(found.length)
        return found
      }
      expect(ids({ kind: 'bead' })).toEqual(['c', 'a', 'b', 'd', 'e'])
      expect(ids({ kind: 'bead', status: 'open' })).toEqual(['c', 'b', 'd', 'e'])
      expect(ids({ kind: 'bead', status: ['open', 'closed'], assignee: 'proj/one' })).toEqual(['c', 'b', 'd'])
      expect(ids({ kind: 'bead', assignee: 'proj/two' })).toEqual(['a'])
      expect(ids({ kind: 'bead', assignee: 'nobody' })).toEqual([])
      expect(ids({ kind: 'bead', status: '' })).toEqual([])
      expect(ids({ kind: 'convoy' })).toEqual([])
    }
  })

  it('resolve exact ids, then shown ids, then unique prefixes', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [
      { o: 'new', id: 'issue-1', k: 'bead', f: {} },
      { o: 'new', id: 'issue-12', k: 'bead', f: {} },
      { o: 'new', id: 'proj-4k7q2aaaaaa', k: 'bead', a: 5, f: {} },
      { o: 'new', id: 'proj-4k8q2aaaaaa', k: 'mail', a: 5, f: {} },
    ])
    const check = () => {
      for (const view of [ledger.read(), store.open().read()]) {
        const found = (typed: string) => {
          const result = view.resolve('bead', typed)
          return result.kind === 'found' ? result.entity.id : result
        }
        expect(found('issue-1')).toBe('issue-1')
        expect(found('issue-12')).toBe('issue-12')
        expect(found('issue')).toEqual({ kind: 'ambiguous', ids: ['issue-1', 'issue-12'] })
        expect(found('proj-4k7q2')).toBe('proj-4k7q2aaaaaa')
        expect(found('proj-4k7q2aa')).toBe('proj-4k7q2aaaaaa')
        expect(found('proj-4')).toBe('proj-4k7q2aaaaaa')
        expect(found('proj-9')).toEqual({ kind: 'none' })
        expect(found('')).toEqual({ kind: 'none' })
      }
    }
    check()
    ledger.compactCache(true)
    check()
  })

  it('page through events by cursor; a limit alone keeps the newest', async () => {
    await using store = await tempStore()
    const ledger = store.open()
    for (let i = 0; i < 6; i++) {
      transact(ledger, () => [
        { o: 'ev', type: i % 2 ? 'odd' : 'even', data: { i } },
        { o: 'ev', type: 'all', data: { i } },
      ])
      if (i === 2) ledger.compactCache(true)
    }
    const view = store.open().read()
    const numbers = (query: Parameters<typeof view.events>[0]) => view.events(query).map(({ data }) => data.i)
    expect(numbers({ type: 'odd' })).toEqual([1, 3, 5])
    expect(numbers({ type: ['odd', 'even'], limit: 2 })).toEqual([4, 5])
    const third = view.events({ type: 'all' })[2]
    expect(numbers({ type: 'all', after: third?.cursor ?? '', limit: 2 })).toEqual([3, 4])
    expect(view.events()).toHaveLength(12)
  })
})

describe('errors of the file system', () => {
  it('say that nothing was recorded', () => {
    const errno = (code: string) => Object.assign(new Error(code), { code })
    expect(writeError('/s', errno('ENOSPC'))).toMatchObject({ code: 'disk-full' })
    expect(writeError('/s', errno('ENOSPC'))).toMatchObject({
      message: expect.stringContaining('nothing was recorded'),
    })
    expect(writeError('/s', errno('EROFS'))).toMatchObject({ code: 'store-not-writable' })
    expect(writeError('/s', errno('EACCES'))).toMatchObject({ code: 'store-not-writable' })
    const bug = new TypeError('x')
    expect(writeError('/s', bug)).toBe(bug)
  })

  it('does not write where it may not', async ({ skip }) => {
    await using store = await tempStore()
    const ledger = store.open()
    transact(ledger, () => [{ o: 'new', id: 'x', k: 'bead', f: {} }])
    chmodSync(join(store.log, `${store.clone}-000001.jsonl`), 0o400)
    skip(process.getuid?.() === 0, 'root may write anywhere')
    expect(caught(() => transact(ledger, () => [{ o: 'say', id: 'x', x: 'y' }])).code).toBe(
      'store-not-writable',
    )
  })

  it('knows a directory that is no store', async () => {
    await using store = await tempStore()
    rmSync(store.log, { recursive: true })
    expect(existsSync(store.dir)).toBe(true)
    expect(caught(() => store.open()).code).toBe('no-store')
  })
})
