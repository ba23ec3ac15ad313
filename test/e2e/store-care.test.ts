import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { segmentName } from '../../src/store/layout.js'
import { writeChain } from '../store/support/chain-files.js'
import { type TestTown, testTown, until } from '../support/test-town.js'

function time(second: number): string {
  return new Date(Date.parse('2026-11-01T09:00:00.000Z') + second * 1000).toISOString()
}

function log(town: TestTown): string {
  return join(town.root, '.beads', 'log')
}

function cloneOf(town: TestTown): string {
  return JSON.parse(readFileSync(join(town.root, '.beads/local/clone'), 'utf8')).clone
}

/** Closed files as a busy day leaves them; number 1 is the town's own, so these come behind it. */
function fill(town: TestTown, count: number): void {
  const clone = cloneOf(town)
  const present = readdirSync(log(town)).filter((name) => name.startsWith(clone)).length
  if (present > 0) writeChain(log(town), clone, present, [[time(0), { o: 'seal' }]])
  for (let i = 0; i < count; i++) {
    writeChain(log(town), clone, present + 1 + i, [
      [time(i), { o: 'new', id: `issue-${i}`, k: 'bead', f: { title: `title ${i}`, status: 'open' } }],
      [time(i), { o: 'set', id: `issue-${i}`, f: { title: `title ${i}!` } }],
      [time(i), { o: 'seal' }],
    ])
  }
}

describe('gt store compact', () => {
  it('folds closed files, says the sizes, and changes no answer', async () => {
    await using town = await testTown()
    fill(town, 5)
    await town.ok('bead', 'create', '--id', 'last', 'still being written')
    const before = await town.json('bead', 'list')
    const names = readdirSync(log(town)).sort()
    expect(await town.ok('store', 'compact', '--dry-run')).toMatch(
      /^would fold 5 full files into 5 entities: 6 files, [\d.]+ kB -> 2 files, [\d.]+ kB$/m,
    )
    expect(readdirSync(log(town)).sort()).toEqual(names)
    const done = await town.json<{ compaction: Record<string, unknown> }>('store', 'compact')
    expect(done).toMatchObject({ dry_run: false, compaction: { segments: 5, after: { files: 2 } } })
    expect(await town.json('bead', 'list')).toEqual(before)
    rmSync(join(town.root, '.beads/cache'), { recursive: true })
    expect(await town.json('bead', 'list')).toEqual(before)
    expect(await town.ok('store', 'compact')).toMatch(/^nothing to compact: 2 files/)
    expect(await town.ok('store', 'compact', '--due')).toBe('nothing is due\n')
    await town.ok('store', 'commit')
    const committed = town.git(town.root, '--git-dir=.beads/.git', 'ls-tree', '-r', '--name-only', 'HEAD')
    expect(committed.split('\n')).toEqual(
      readdirSync(log(town))
        .map((name) => `log/${name}`)
        .sort(),
    )
  })

  it('--history leaves one commit of everything, and keeps the old ones aside', async () => {
    await using town = await testTown()
    for (const id of ['a', 'b', 'c']) {
      await town.ok('bead', 'create', '--id', id, 'title')
      await town.ok('store', 'commit')
    }
    expect(await town.gt('store', 'compact', '--dry-run', '--history')).toMatchObject({
      exitCode: 2,
      stdout: '',
    })
    const repository = join(town.root, '.beads/.git')
    const tree = town.git(repository, 'log', '-1', '--format=%T')
    expect(await town.ok('store', 'compact', '--history')).toMatch(
      /^history: one commit of 3, kept as refs\/archive\/beads\/\S+; [\d.]+ kB -> [\d.]+ kB$/m,
    )
    expect(town.git(repository, 'log', '--format=%T')).toBe(tree)
    expect(town.git(repository, 'for-each-ref', 'refs/archive').split('\n')).toHaveLength(1)
  })

  it('happens by itself, in the background of a command, when there are 64 closed files', async () => {
    await using town = await testTown()
    fill(town, 65)
    rmSync(join(town.root, 'run/due'), { recursive: true, force: true })
    await town.ok('bead', 'create', '--id', 'last', 'starts it')
    await until('the compaction', () =>
      readdirSync(log(town)).some((name) => name.includes('.base')) &&
      !existsSync(join(log(town), segmentName(cloneOf(town), 3)))
        ? true
        : undefined,
    )
    expect((await town.json<{ beads: unknown[] }>('bead', 'list')).beads).toHaveLength(66)
  })
})

describe('gt events --since', () => {
  it('shows later ones only, and says what is not kept', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 'x', 'a bead')
    await town.ok('bead', 'close', 'x')
    const all = await town.json<{ events: unknown[]; kept_since: string }>('events', '--since', '1h')
    expect(all.events).toHaveLength(1)
    const future = await town.gt('events', '--since', '2999-01-01')
    expect(future).toMatchObject({ exitCode: 0, stderr: '' })
    expect(future.stdout).toContain('nothing happened since 2999-01-01T00:00:00.000Z')
    const old = await town.gt('events', '--since', '30d')
    expect(old.stderr).toContain(`events from before ${all.kept_since.slice(0, 10)}`)
    expect(await town.gt('events', '--since', 'yesterday')).toMatchObject({ exitCode: 2, stdout: '' })
  })
})

describe('beads closed long ago', () => {
  it('are left out of lists, shown by --archived, found by id, and come back when reopened', async () => {
    await using town = await testTown({ toml: '[store]\narchive_after = "10d"' })
    const clone = cloneOf(town)
    const closed = (id: string, days: number) => {
      const at = (hour: number) => new Date(Date.now() - days * 86_400_000 + hour * 3_600_000).toISOString()
      writeChain(log(town), clone, 1, [
        [at(0), { o: 'new', id, k: 'bead', f: { title: `the ${id}`, status: 'open' } }],
        [at(1), { o: 'move', id, gen: 2, f: { status: 'closed', close_reason: 'done' } }],
      ])
    }
    closed('old-1', 40)
    closed('old-2', 30)
    closed('young', 5)
    await town.ok('bead', 'create', '--id', 'open-1', 'waits for an old one')
    await town.ok('bead', 'dep', 'open-1', 'old-1')
    const ids = async (...args: string[]) =>
      (await town.json<{ beads: { id: string }[] }>('bead', 'list', ...args)).beads.map(({ id }) => id).sort()
    expect(await ids()).toEqual(['open-1'])
    expect(await ids('-s', 'closed')).toEqual(['young'])
    expect(await ids('--all')).toEqual(['open-1', 'young'])
    expect(await ids('--archived')).toEqual(['old-1', 'old-2'])
    expect((await town.gt('bead', 'list', '-s', 'closed')).stderr).toContain('2 closed long ago are archived')
    expect((await town.gt('bead', 'list')).stderr).toBe('')
    expect((await town.json<{ total: number }>('bead', 'search', 'the')).total).toBe(3)
    expect((await town.json<{ beads: { closed: number } }>('status')).beads.closed).toBe(3)
    expect(await ids('--archived', '--all')).toEqual(['old-1', 'old-2', 'open-1', 'young'])
    expect(await town.ok('bead', 'show', 'old-2')).toContain('the old-2')
    expect((await town.json<{ beads: { id: string }[] }>('bead', 'ready')).beads).toHaveLength(1)
    expect(await town.gt('bead', 'create', '--id', 'old-1', 'again')).toMatchObject({ exitCode: 5 })
    expect((await town.ok('export')).split('\n').filter((line) => /"id": ?"old-/.test(line))).toHaveLength(2)
    await town.ok('bead', 'reopen', 'old-1')
    expect(await ids()).toEqual(['old-1', 'open-1'])
    expect(await ids('--archived')).toEqual(['old-2'])
  })
})

describe('an idle town', () => {
  it('appends nothing, however often it is looked at', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 'x', 'a title')
    await town.ok('mail', 'send', 'human', 'hello')
    await town.ok('store', 'commit')
    const bytes = () =>
      readdirSync(log(town)).map((name) => [name, readFileSync(join(log(town), name)).length])
    const before = bytes()
    const looks = [
      'status',
      'agents',
      'bead list --all',
      'bead ready',
      'bead show x',
      'convoy list',
      'mq list',
      'rig list',
    ]
    const more = [
      'events',
      'runtime list',
      'mail inbox',
      'whoami',
      'config check',
      'salvage list',
      'pool list',
      'export',
    ]
    for (let round = 0; round < 2; round++) {
      for (const look of [...looks, ...more])
        expect(await town.gt(...look.split(' ')), look).toMatchObject({ exitCode: 0 })
      // As if an hour had passed: whatever is due starts again.
      rmSync(join(town.root, 'run/due'), { recursive: true, force: true })
    }
    expect(await town.ok('store', 'compact', '--due')).toBe('nothing is due\n')
    expect(bytes()).toEqual(before)
    expect(await town.json('store', 'commit')).toEqual({ commit: null })
  })
})

describe('gt store purge', () => {
  it('needs --yes, says before what it would be, and leaves nothing of it', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 'leak', 'a title', '-m', 'the key is hunter2-hunter2')
    await town.ok('bead', 'comment', 'leak', 'fine')
    await town.ok('bead', 'comment', 'leak', 'again: hunter2-hunter2')
    await town.ok('store', 'commit')
    const holds = () =>
      town.git(town.root, 'grep', '--no-index', '-l', '-a', 'hunter2', '--', '.beads').split('\n').sort()
    expect(holds().length).toBeGreaterThan(0)
    expect(await town.gt('store', 'purge', 'leak')).toMatchObject({ exitCode: 2, stdout: '' })
    expect(await town.gt('store', 'purge', 'nothing', '--yes')).toMatchObject({ exitCode: 4, stdout: '' })
    const args = ['store', 'purge', 'leak', '--field', 'description', '--comment', '2']
    expect(await town.gt(...args, '--field', 'colour', '--yes')).toMatchObject({ exitCode: 4, stdout: '' })
    expect(await town.gt('store', 'purge', 'leak', '--comment', '3', '--yes')).toMatchObject({ exitCode: 4 })
    const dry = await town.ok(...args, '--dry-run')
    expect(dry).toContain('would destroy parts of leak: 2 values and comments')
    expect(holds().length).toBeGreaterThan(0)
    const done = await town.ok(...args, '--yes')
    expect(done).toContain('destroyed parts of leak: 2 values and comments')
    expect(done).toContain('out of reach:')
    expect(holds).toThrow()
    const objects = town.git(town.root, '--git-dir=.beads/.git', 'cat-file', '--batch', '--batch-all-objects')
    expect(objects).toContain('a title')
    expect(objects).not.toContain('hunter2')
    const shown = await town.json<{ bead: { title: string; description: string } }>('bead', 'show', 'leak')
    expect(shown.bead).toMatchObject({ title: 'a title', description: '' })
    expect(await town.json('store', 'purge', 'leak', '--yes')).toMatchObject({ id: 'leak', what: ['*'] })
    expect(await town.gt('bead', 'show', 'leak')).toMatchObject({ exitCode: 4 })
  })
})
