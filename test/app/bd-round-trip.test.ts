import { describe, expect, it } from 'vitest'
import { closeBead, commentOnBead, updateBead } from '../../src/app/change-bead.js'
import { createBead } from '../../src/app/create-bead.js'
import { exportBeads } from '../../src/app/export-beads.js'
import { importBeads } from '../../src/app/import-beads.js'
import { readyBeads } from '../../src/app/list-beads.js'
import type { Town } from '../../src/app/town.js'
import type { BdIssue } from '../../src/domain/bd/shape.js'
import { sortedJson } from '../../src/domain/same-json.js'
import { dumpStore } from '../store/support/dump.js'
import { Seeded } from '../store/support/seeded.js'
import { tempStore } from '../store/support/temp-store.js'
import { randomIssues } from './random-issues.js'
import { storeTown } from './store-town.js'

const asText = (issues: readonly BdIssue[]) => issues.map((issue) => JSON.stringify(issue)).join('\n')

function exported(town: Town): Map<string, string> {
  const lines = exportBeads(town.ledger.read(), { withMail: true }).map((line) => JSON.parse(line) as BdIssue)
  return new Map(lines.map((issue) => [issue.id as string, sortedJson(issue)]))
}

function expectExported(town: Town, issues: readonly BdIssue[]): void {
  const out = exported(town)
  const wrong = issues.flatMap((issue) => {
    const [wanted, got] = [sortedJson(issue), out.get(issue.id as string) ?? 'nothing']
    if (wanted === got) return []
    let at = 0
    while (wanted[at] === got[at]) at++
    // Some texts are long: what differs, and a little before it.
    const part = (text: string) => text.slice(Math.max(0, at - 60), at + 100)
    return [{ id: issue.id, wanted: part(wanted), got: part(got) }]
  })
  expect(wrong).toEqual([])
}

const issue = (more: BdIssue): BdIssue => ({
  id: 'bd-a1b2',
  title: 'one',
  status: 'open',
  priority: 1,
  issue_type: 'task',
  created_at: '2025-11-20T10:00:00Z',
  updated_at: '2025-11-21T10:00:00Z',
  ...more,
})

describe('what bd wrote', () => {
  it('comes out of the store as it went in, every field, known or not', async () => {
    for (let seed = 1; seed <= 15; seed++) {
      await using store = await tempStore()
      const ledger = store.open()
      const issues = randomIssues(new Seeded(seed), 40)
      const receipt = importBeads(storeTown(ledger), asText(issues), {})
      expect(receipt.created.length, `seed ${seed}`).toBe(issues.length)
      expectExported(storeTown(ledger), issues)
      ledger.compactCache(true)
      expectExported(storeTown(store.open()), issues)
      expect(dumpStore(store.dir, 'with snapshot')).toEqual(dumpStore(store.dir, 'log only'))
    }
  })

  it('changes nothing when it is imported again, and a changed line becomes what it says now', async () => {
    for (let seed = 101; seed <= 108; seed++) {
      await using store = await tempStore()
      const town = storeTown(store.open())
      const random = new Seeded(seed)
      const issues = randomIssues(random, 30)
      importBeads(town, asText(issues), {})
      const before = dumpStore(store.dir, 'log only')
      const again = importBeads(town, asText([...issues].reverse()), {})
      expect(again).toMatchObject({ created: [], updated: [], unchanged: issues.length, kept: [] })
      expect(dumpStore(store.dir, 'log only')).toEqual(before)
      const later = randomIssues(new Seeded(seed + 1_000), 30).map((other, i) => ({
        ...other,
        id: issues[i]?.id ?? null,
        // A message stays one, and what was deleted stays deleted.
        issue_type: issues[i]?.issue_type ?? null,
        status: issues[i]?.status === 'tombstone' ? 'tombstone' : 'open',
        dependencies: [],
        updated_at: '2026-11-01T00:00:00Z',
      }))
      const changed = later.filter((_, i) => issues[i]?.status !== 'tombstone' && isDated(issues[i]))
      importBeads(town, asText(changed), {})
      expectExported(town, changed)
    }
  })

  it('is the same on two machines that took the same file', async () => {
    await using a = await tempStore()
    await using b = await tempStore()
    const issues = randomIssues(new Seeded(7), 40)
    // What is dated in the future counts from now.
    const clock = { now: () => Date.parse('2026-11-20T00:00:00Z'), sleep: async () => {} }
    for (const store of [a, b]) importBeads(storeTown(store.open(), { clock }), asText(issues), {})
    const dumps = [a, b].map((store) => dumpStore(store.dir, 'log only').entities)
    const withoutChains = (dump: unknown) =>
      JSON.parse(JSON.stringify(dump, (key, value) => (key === 'ch' ? undefined : (value as unknown))))
    expect(withoutChains(dumps[0])).toEqual(withoutChains(dumps[1]))
  })
})

function isDated(issue: BdIssue | undefined): boolean {
  return typeof issue?.updated_at === 'string' && issue.updated_at < '2026-11'
}

describe('an import', () => {
  it('takes over what is newer there and leaves what is newer here', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    importBeads(town, asText([issue({ labels: ['a', 'b'], notes: 'n', description: 'old' })]), {})
    updateBead(town, 'bd-a1b2', { title: 'ours', addLabels: ['mine'] })
    const receipt = importBeads(
      town,
      asText([
        issue({
          title: 'theirs',
          labels: ['a', 'c'],
          description: 'new',
          updated_at: '2026-01-01T00:00:00Z',
        }),
      ]),
      {},
    )
    expect(receipt.updated).toEqual(['bd-a1b2'])
    expect(receipt.kept[0]?.why).toContain('title')
    const entity = town.ledger.read().get('bd-a1b2')
    expect(entity?.fields).toMatchObject({ title: 'ours', description: 'new', status: 'open' })
    expect(entity?.fields.notes).toBeUndefined()
    expect(entity?.sets.labels).toEqual(['a', 'c', 'mine'])
  })

  it('of an older file changes nothing', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    importBeads(
      town,
      asText([issue({ title: 'new', updated_at: '2026-01-01T00:00:00Z', status: 'closed' })]),
      {},
    )
    const receipt = importBeads(town, asText([issue({ title: 'old', notes: 'gone since' })]), {})
    expect(receipt).toMatchObject({ created: [], updated: [] })
    expect(receipt.kept[0]?.why).toContain('a later import')
    expect(town.ledger.read().get('bd-a1b2')?.fields).toMatchObject({ title: 'new', status: 'closed' })
  })

  it('moves a status on, unless somebody here works on the bead or moved it later', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    importBeads(town, asText([issue({ id: 'a-1' }), issue({ id: 'a-2' }), issue({ id: 'a-3' })]), {})
    closeBead(town, 'a-2', 'done here')
    town.ledger.transact('human', (view) => ({
      ops: [
        {
          o: 'move',
          id: 'a-3',
          gen: (view.get('a-3')?.generation ?? 0) + 1,
          f: { status: 'hooked', assignee: 'p/toast' },
        },
      ],
    }))
    const later = { status: 'closed', closed_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' }
    importBeads(town, asText(['a-1', 'a-3'].map((id) => issue({ id, ...later }))), {})
    importBeads(
      town,
      asText([issue({ id: 'a-2', status: 'in_progress', updated_at: '2026-01-01T00:00:00Z' })]),
      {},
    )
    const view = town.ledger.read()
    expect(['a-1', 'a-2', 'a-3'].map((id) => view.get(id)?.fields.status)).toEqual([
      'closed',
      'closed',
      'hooked',
    ])
    const again = importBeads(town, asText([issue({ id: 'a-1', ...later })]), {})
    expect(again.unchanged).toBe(1)
  })

  it('does not overrule a claim that came in between', async () => {
    await using store = await tempStore()
    importBeads(storeTown(store.open()), asText([issue({})]), {})
    const other = store.open()
    let isFirst = true
    const racing = store.open({
      onStep: (step) => {
        if (step !== 'before-write' || !isFirst) return
        isFirst = false
        other.transact('human', () => ({
          ops: [{ o: 'move', id: 'bd-a1b2', gen: 2, f: { status: 'hooked', assignee: 'p/toast' } }],
        }))
      },
    })
    const closed = issue({
      status: 'closed',
      title: 'new',
      closed_at: '2026-01-01T00:00:00Z',
      updated_at: '2026-01-01T00:00:00Z',
    })
    const receipt = importBeads(storeTown(racing), asText([closed]), {})
    expect(receipt.kept[0]?.why).toContain('being worked on')
    expect(store.open().read().get('bd-a1b2')).toMatchObject({
      generation: 2,
      fields: { status: 'hooked', assignee: 'p/toast', title: 'new' },
    })
  })

  it('says who waits for what is not here; what was deleted holds nothing back', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    const blocked = (id: string, by: string) =>
      issue({ id, dependencies: [{ issue_id: id, depends_on_id: by, type: 'blocks' }] })
    const lines = [
      blocked('w-1', 'nowhere-1'),
      blocked('w-2', 'dead-1'),
      issue({ id: 'dead-1', status: 'tombstone' }),
    ]
    expect(importBeads(town, asText(lines), {}).waiting).toEqual([{ id: 'w-1', missing: ['nowhere-1'] }])
    const ready = () => readyBeads(town.ledger.read(), Date.now()).map(({ id }) => id)
    expect(ready()).toEqual(['w-2'])
    town.ledger.compactCache(true)
    expect(readyBeads(store.open().read(), Date.now()).map(({ id }) => id)).toEqual(['w-2'])
  })

  it('adds new comments and keeps those that were written here', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    const first = {
      id: 1,
      issue_id: 'bd-a1b2',
      author: 'steve',
      text: 'first',
      created_at: '2025-11-20T11:00:00.5-08:00',
    }
    importBeads(town, asText([issue({ comments: [first] })]), {})
    commentOnBead(town, 'bd-a1b2', 'ours')
    const second = { ...first, id: 2, text: 'second', created_at: '2025-11-21T09:00:00Z' }
    importBeads(town, asText([issue({ comments: [first, second], updated_at: '2026-01-01T00:00:00Z' })]), {})
    const comments = town.ledger.read().comments('bd-a1b2')
    expect(comments.map(({ by, text }) => [by, text])).toEqual([
      ['steve', 'first'],
      ['steve', 'second'],
      ['human', 'ours'],
    ])
    expect(comments[0]?.at).toBe('2025-11-20T19:00:00.500Z')
  })

  it('does not bring back what was deleted here, nor delete what was changed here since', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    importBeads(town, asText([issue({ id: 'a-1' }), issue({ id: 'a-2' }), issue({ id: 'a-3' })]), {})
    town.ledger.transact('human', () => ({ ops: [{ o: 'gone', id: 'a-1' }] }))
    updateBead(town, 'a-2', { title: 'ours' })
    const receipt = importBeads(
      town,
      asText([
        issue({ id: 'a-1', updated_at: '2026-01-01T00:00:00Z' }),
        issue({ id: 'a-2', status: 'tombstone', updated_at: '2026-01-01T00:00:00Z' }),
        issue({ id: 'a-3', status: 'tombstone', updated_at: '2026-01-01T00:00:00Z' }),
      ]),
      {},
    )
    expect(receipt.kept.map(({ id }) => id)).toEqual(['a-1', 'a-2'])
    const view = town.ledger.read()
    expect(view.list({ kind: 'bead' }).map(({ id }) => id)).toEqual(['a-2'])
  })

  it('names every bad line and takes nothing, or only the others when told so', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    const text = [
      JSON.stringify(issue({ id: 'ok-1' })),
      '{"id": "broken',
      '[1]',
      '',
      JSON.stringify(issue({ id: '../../etc' })),
      '{"id":"n-1","title":"t","big":12345678901234567890}',
      JSON.stringify(issue({ id: 'ok-1' })),
      JSON.stringify({ _type: 'memory', key: 'k', value: 'v' }),
      JSON.stringify(issue({ id: 'c-1', dependencies: [{ depends_on_id: 'c-2', type: 'blocks' }] })),
      JSON.stringify(issue({ id: 'c-2', dependencies: [{ depends_on_id: 'c-1', type: 'blocks' }] })),
      JSON.stringify(issue({ id: 'p-1', dependencies: [{ depends_on_id: 'p-1', type: 'parent-child' }] })),
    ].join('\n')
    expect(() => importBeads(town, text, {})).toThrow(
      /8 lines[\s\S]*line 2:[\s\S]*line 3:[\s\S]*line 5:[\s\S]*line 6:[\s\S]*line 7:[\s\S]*line 9:[\s\S]*line 10:[\s\S]*line 11:/,
    )
    expect(town.ledger.read().count({ kind: 'bead' })).toBe(0)
    const receipt = importBeads(town, text, { skipBad: true })
    expect(receipt.created).toEqual(['ok-1'])
    expect(receipt.refused.map(({ line }) => line)).toEqual([2, 3, 5, 6, 7, 9, 10, 11])
    expect(receipt.skipped).toEqual([{ line: 8, why: 'a memory record, not an issue' }])
  })

  it('keeps numbers that JSON can write in several ways', async () => {
    await using store = await tempStore()
    const town = storeTown(store.open())
    const text =
      '{"id":"n-1","title":"t","a":1.50,"b":1e3,"c":0.1,"d":9007199254740992,"e":123456789012345680000}'
    expect(importBeads(town, text, {}).created).toEqual(['n-1'])
  })
})

describe('an export of what gt made itself', () => {
  it('is taken by another town as it is, and by the same one without a change', async () => {
    await using a = await tempStore()
    await using b = await tempStore()
    const random = { bytes: (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 32) }
    const config = { rigs: {} } as Town['config']
    const town = storeTown(a.open(), { random, config })
    createBead(town, { id: 'issue-1', title: 'first', labels: ['x'], description: 'd' })
    const made = createBead(town, { title: 'second', blockedBy: ['issue-1'], type: 'bug' })
    commentOnBead(town, 'issue-1', 'a note')
    closeBead(town, 'issue-1', 'done')
    updateBead(town, made.id, { status: 'failed' })
    const lines = exportBeads(town.ledger.read(), { withMail: true })
    expect(importBeads(town, lines.join('\n'), {}).unchanged).toBe(2)
    const other = storeTown(b.open())
    expect(importBeads(other, lines.join('\n'), {}).created.length).toBe(2)
    expect(exportBeads(other.ledger.read(), { withMail: true })).toEqual(lines)
    const copy = other.ledger.read().get(made.id)
    expect(copy?.fields.status).toBe('failed')
    expect(copy?.sets.deps).toEqual(['blocks:issue-1'])
  })
})
