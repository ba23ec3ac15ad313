import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TestTown, testTown } from '../support/test-town.js'

interface Listed {
  beads: { id: string; blocked: boolean }[]
}

const ids = async (town: TestTown, ...args: string[]) =>
  (await town.json<Listed>(...args)).beads.map(({ id }) => id)

async function make(town: TestTown, id: string, ...args: string[]): Promise<void> {
  await town.ok('bead', 'create', '--id', id, `title of ${id}`, ...args)
}

describe('gt bead dep', () => {
  it('refuses circles of waiting and of parents, through any road', async () => {
    await using town = await testTown()
    await make(town, 'a')
    await make(town, 'b', '--blocked-by', 'a')
    await make(town, 'c', '--parent', 'b')
    await town.ok('bead', 'dep', 'add', 'c', 'b')
    const wait = await town.gt('bead', 'dep', 'add', 'a', 'c')
    expect(wait.exitCode).toBe(5)
    expect(wait.stderr).toContain('a waits for c waits for b waits for a')
    const old = await town.gt('bead', 'dep', 'a', 'c')
    expect(old.exitCode).toBe(5)
    const parent = await town.gt('bead', 'dep', 'add', 'b', 'c', '--type', 'parent-child')
    expect(parent.exitCode).toBe(5)
    expect((await town.gt('bead', 'update', 'b', '--parent', 'c')).exitCode).toBe(5)
    expect((await town.gt('bead', 'update', 'b', '--parent', 'b')).exitCode).toBe(5)
    await town.ok('bead', 'dep', 'add', 'a', 'c', '--type', 'related')
    await town.ok('bead', 'dep', 'remove', 'c', 'b')
    await town.ok('bead', 'dep', 'add', 'a', 'c')
    expect((await town.gt('bead', 'dep', 'add', 'a', 'c', '--type', 'owns')).exitCode).toBe(2)
    expect((await town.gt('bead', 'dep', 'remove', 'c', 'a')).exitCode).toBe(5)
  })

  it('refuses a circle that a new bead would close with what an import left waiting', async () => {
    await using town = await testTown()
    const issue = {
      id: 'x-1',
      title: 'waits for what is not here',
      dependencies: [{ depends_on_id: 'x-2', type: 'blocks' }],
    }
    await town.gtIn(town.root, { input: JSON.stringify(issue) }, 'import', '-')
    expect((await town.gt('bead', 'create', '--id', 'x-2', 't', '--blocked-by', 'x-1')).exitCode).toBe(5)
    await make(town, 'x-2')
    expect(await ids(town, 'bead', 'ready')).toEqual(['x-2'])
  })

  it('shows parents, children and what hangs on what', async () => {
    await using town = await testTown()
    await make(town, 'epic')
    await make(town, 'one', '--parent', 'epic')
    await make(town, 'two', '--parent', 'epic', '--blocked-by', 'one', '--discovered-from', 'one')
    expect((await town.gt('bead', 'dep', 'add', 'two', 'one', '--type', 'parent-child')).stderr).toContain(
      'child of epic already',
    )
    const tree = (await town.ok('bead', 'dep', 'tree', 'epic')).trimEnd().split('\n')
    expect(tree).toEqual([
      'epic  open  title of epic',
      '├ child one  open  title of one',
      '└ child two  open  title of two',
      '  └ waits for one  open  title of one  (above)',
    ])
    expect(await town.ok('bead', 'dep', 'tree', 'one', '--up')).toContain('waited for by two')
    const shown = await town.ok('bead', 'show', 'epic')
    expect(shown).toContain('child one (open) title of one')
    const two = await town.json<{ bead: { dependencies: object[] } }>('bead', 'show', 'two')
    expect(two.bead.dependencies).toMatchObject([
      { id: 'one', type: 'blocks' },
      { id: 'one', type: 'discovered-from' },
      { id: 'epic', type: 'parent-child' },
    ])
    expect(await ids(town, 'bead', 'list', '--parent', 'epic')).toEqual(['one', 'two'])
    await town.ok('bead', 'update', 'two', '--parent', 'none')
    expect(await ids(town, 'bead', 'list', '--parent', 'epic')).toEqual(['one'])
  })
})

describe('gt bead list, ready and search', () => {
  it('combine all filters', async () => {
    await using town = await testTown()
    await make(town, 'p-1', '-p', '0', '-l', 'red', '-l', 'hot', '--type', 'bug', '-m', 'the Parser fails')
    await make(town, 'p-2', '-p', '1', '-l', 'red', '--due', '2020-01-01')
    await make(town, 'q-3', '-p', '4', '--defer', '3d', '--notes', 'parser again')
    await make(town, 'q-4', '-p', '2', '--due', '30d', '--defer', '2020-01-01')
    await town.ok('bead', 'comment', 'q-4', 'what about the PARSER?')
    await town.ok('bead', 'close', 'p-2')
    const list = (...args: string[]) => ids(town, 'bead', 'list', ...args)
    expect(await list()).toEqual(['p-1', 'q-4', 'q-3'])
    expect(await list('--text', 'parser')).toEqual(['p-1', 'q-4', 'q-3'])
    expect(await list('--text', 'parser fails')).toEqual(['p-1'])
    expect(await list('-p', '1-2', '--all')).toEqual(['p-2', 'q-4'])
    expect(await list('-l', 'red', '-l', 'hot', '--all')).toEqual(['p-1'])
    expect(await list('-l', 'red', '--all', '--type', 'task')).toEqual(['p-2'])
    expect(await list('--prefix', 'q-', '--sort', 'id', '--reverse')).toEqual(['q-4', 'q-3'])
    expect(await list('--all', '--sort', 'id', '-n', '2')).toEqual(['p-1', 'p-2'])
    expect(await list('--overdue', '--all')).toEqual(['p-2'])
    expect(await list('--due-before', '40d')).toEqual(['q-4'])
    expect(await list('--deferred')).toEqual(['q-3'])
    expect(await list('--created-after', '1h', '--all')).toHaveLength(4)
    expect(await list('--updated-before', '1h', '--all')).toEqual([])
    expect(await list('--assignee', 'none')).toHaveLength(3)
    expect(await list('--assignee', 'nobody-known')).toEqual([])
    expect(await list('-s', 'closed', '--prefix', 'p')).toEqual(['p-2'])
    expect(await ids(town, 'bead', 'ready')).toEqual(['p-1', 'q-4'])
    expect(await ids(town, 'bead', 'ready', '--text', 'parser', '-p', '2-4')).toEqual(['q-4'])
    await town.ok('bead', 'update', 'q-3', '--defer', 'none')
    expect(await ids(town, 'bead', 'ready', '-n', '9')).toEqual(['p-1', 'q-4', 'q-3'])
    for (const bad of [
      ['--sort', 'colour'],
      ['-p', '3-1'],
      ['--created-after', 'soon'],
      ['-n', '0'],
    ]) {
      expect((await town.gt('bead', 'list', ...bad)).exitCode, bad.join(' ')).toBe(2)
    }
    expect((await town.gt('bead', 'update', 'q-3', '--due', 'soon')).exitCode).toBe(2)
  })

  it('find words wherever they stand, the title first, with the place', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 's-1', 'rounding of totals')
    await town.ok(
      'bead',
      'create',
      '--id',
      's-2',
      'something else',
      '-m',
      `${'filler '.repeat(40)}the totals need rounding, Ärger`,
    )
    await town.ok('bead', 'create', '--id', 's-3', 'totals only', '-m', 'nothing')
    await town.ok('bead', 'comment', 's-3', 'a remark "on" rounding')
    await town.ok('bead', 'close', 's-3')
    const found = await town.json<{ total: number; beads: { id: string; field: string; excerpt: string }[] }>(
      'bead',
      'search',
      'Totals',
      'rounding',
    )
    expect(found.beads.map(({ id, field }) => [id, field])).toEqual([
      ['s-1', 'title'],
      ['s-3', 'title'],
      ['s-2', 'description'],
    ])
    expect(found.beads[2]?.excerpt).toMatch(/^…filler .*the totals need rounding/)
    expect(await town.ok('bead', 'search', 'ärger')).toContain('s-2')
    expect(await town.ok('bead', 'search', '"on"')).toContain('comment: a remark "on" rounding')
    expect(await town.ok('bead', 'search', 'not there')).toBe('nothing found\n')
    expect(await town.ok('bead', 'search', 'totals', '-n', '1')).toContain('and 2 more')
  })
})

describe('gt bead attach', () => {
  it('notes what a file was, says when it changed or vanished, and gives a copy back', async () => {
    await using town = await testTown()
    await make(town, 'a-1')
    const file = join(town.dir, 'trace.bin')
    const bytes = Buffer.from([0, 255, 10, 13, 0xc3, 0x28, ...Buffer.from('text')])
    writeFileSync(file, bytes)
    await town.ok('bead', 'attach', 'a-1', file, '--copy', '--note', 'the trace')
    await town.ok('bead', 'attach', 'a-1', 'https://example.org/spec')
    expect(await town.ok('bead', 'show', 'a-1')).toMatch(
      /attached \w{5}: .*trace\.bin · 10 bytes · copied · the trace/,
    )
    writeFileSync(file, 'other')
    expect(await town.ok('bead', 'show', 'a-1')).toContain('CHANGED since')
    rmSync(file)
    const shown = await town.json<{ bead: { attachments: object[] } }>('bead', 'show', 'a-1')
    expect(shown.bead.attachments).toMatchObject([
      { state: 'gone', copied: true, size_bytes: 10 },
      { state: 'url' },
    ])
    await town.ok('bead', 'attachment', 'save', 'a-1', 'trace.bin')
    expect(readFileSync(join(town.root, 'trace.bin'))).toEqual(bytes)
    expect((await town.gt('bead', 'attachment', 'save', 'a-1', 'trace.bin')).exitCode).toBe(5)
    expect((await town.gt('bead', 'attachment', 'save', 'a-1', 'nothing')).exitCode).toBe(4)
    expect((await town.gt('bead', 'attach', 'a-1', 'no-such-file')).exitCode).toBe(4)
    // The copy does not lie in the log, and travels in an export.
    const issue = (await town.json<{ issues: Record<string, unknown>[] }>('export')).issues[0]
    expect(Object.keys(issue ?? {}).filter((name) => /^att\..*\.data$/.test(name))).toHaveLength(1)
    const log = await town.gtIn(town.root, {}, 'bead', 'attachment', 'remove', 'a-1', 'trace.bin')
    expect(log.exitCode).toBe(0)
    expect(await town.ok('bead', 'attachment', 'list', 'a-1')).not.toContain('trace')
  })

  it('refuses to save what it does not have', async () => {
    await using town = await testTown()
    await make(town, 'a-1')
    writeFileSync(join(town.root, 'big'), Buffer.alloc(1_100_000))
    expect((await town.gt('bead', 'attach', 'a-1', 'big', '--copy')).exitCode).toBe(2)
    await town.ok('bead', 'attach', 'a-1', 'big')
    await town.ok('bead', 'attachment', 'save', 'a-1', 'big', 'saved')
    expect(readFileSync(join(town.root, 'saved')).length).toBe(1_100_000)
    writeFileSync(join(town.root, 'big'), 'small')
    const lost = await town.gt('bead', 'attachment', 'save', 'a-1', 'big', 'again')
    expect(lost.exitCode).toBe(4)
    expect(lost.stderr).toContain('another one now')
  })
})

describe('gt bead label', () => {
  it('puts labels on and takes them off', async () => {
    await using town = await testTown()
    await make(town, 'l-1', '-l', 'x')
    expect(await town.ok('bead', 'label', 'add', 'l-1', 'y', 'z')).toBe('l-1: x, y, z\n')
    expect(await town.ok('bead', 'label', 'remove', 'l-1', 'x', 'y', 'z')).toBe('l-1: no labels\n')
  })
})
