import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../src/domain/finding.js'
import { openLedger } from '../../src/store/open-ledger.js'
import type { Ran } from '../support/run-gt.js'
import { type TestTown, testTown } from '../support/test-town.js'

interface Said {
  groups: { group: string; findings: (Omit<Finding, 'fix'> & { fix?: string })[] }[]
  mended: { finding: string; did: string; undo?: string; left?: string }[]
  problems: number
  fixable: number
}

const BARE = '[runtimes.bare]\ncommand = ["cat"]\ninstruction_file = "none"\n'

async function townWithBeads(): Promise<TestTown> {
  const town = await testTown({ toml: BARE })
  // What the real one says, without its second of start-up.
  town.program('opencode', 'echo 1.18.33')
  for (const n of [1, 2, 3, 4, 5]) await town.ok('bead', 'create', '--id', `b-${n}`, `bead ${n}`)
  await town.ok('store', 'commit')
  return town
}

function segment(town: TestTown): string {
  const log = join(town.root, '.beads/log')
  return join(log, readdirSync(log).find((name) => name.endsWith('.jsonl')) ?? '')
}

function edit(town: TestTown, change: (text: string) => string): void {
  const before = readFileSync(segment(town), 'utf8')
  const after = change(before)
  expect(after).not.toBe(before)
  writeFileSync(segment(town), after)
}

async function doctor(town: TestTown, ...args: string[]): Promise<Said & { exitCode: number | null }> {
  const ran = await town.gt('doctor', '--json', ...args)
  return { ...(JSON.parse(ran.stdout) as Said), exitCode: ran.exitCode }
}

function ids(said: Said, ...severities: string[]): string[] {
  return said.groups.flatMap(({ findings }) =>
    findings.filter(({ severity }) => severities.includes(severity)).map(({ id }) => id),
  )
}

function expectNoStack(ran: Ran): void {
  expect(ran.stderr + ran.stdout).not.toMatch(/\n {4}at |promise in gt's own code/)
  expect(ran.exitCode).not.toBe(70)
}

describe('gt doctor', () => {
  it('says on one screen that all is well, changes nothing, and exits 0', async () => {
    await using town = await townWithBeads()
    await town.ok('rig', 'add', 'proj', town.makeRepository('proj', { 'a.txt': 'a\n' }))
    await town.ok('store', 'commit')
    const before = readdirSync(join(town.root, '.beads'), { recursive: true }).sort()
    const ran = await town.gt('doctor')
    expect(ran, ran.stdout).toMatchObject({ exitCode: 0, stderr: '' })
    expect(ran.stdout).toContain('every one whole')
    expect(ran.stdout).toContain('all is well')
    expect(ran.stdout.split('\n').length).toBeLessThan(25)
    for (const group of ['store', 'beads', 'agents', 'config', 'tools', 'rigs']) {
      expect(ran.stdout).toMatch(new RegExp(`^${group} `, 'm'))
    }
    expect(readdirSync(join(town.root, '.beads'), { recursive: true }).sort()).toEqual(before)
  })

  it('finds what an editor did to the log, puts it back, and tells how to undo that', async () => {
    await using town = await townWithBeads()
    edit(town, (text) => text.replace('"bead 3"', '"bead X"'))
    const status = await town.gt('status')
    expect(status.stdout).toContain('1 damaged line: run gt doctor')
    const dry = await town.gt('doctor')
    expect(dry.exitCode).toBe(1)
    expect(dry.stdout).toContain('1 line with a wrong checksum')
    expect(dry.stdout).toContain('gt doctor --fix: put back from history')
    expect(await town.gt('bead', 'show', 'b-3')).toMatchObject({ exitCode: 4 })
    const fixed = await town.gt('doctor', '--fix')
    expect(fixed.exitCode, fixed.stdout).toBe(0)
    expect(fixed.stdout).toMatch(/done:\n {2}wrote .* anew/)
    expect(fixed.stdout).toMatch(/undo: the files as they were: local\/aside\//)
    expect(fixed.stdout).toContain('all is well now')
    expect(await town.ok('bead', 'show', 'b-3')).toContain('bead 3')
    expect((await town.gt('doctor')).exitCode).toBe(0)
    expect((await town.gt('status')).stdout).not.toContain('gt doctor')
  })

  it('is called for by gt status when lines are gone without a trace', async () => {
    await using town = await townWithBeads()
    edit(town, (text) =>
      text
        .split('\n')
        .filter((line) => !line.includes('bead 2'))
        .join('\n'),
    )
    expect((await town.gt('status')).stdout).toContain('lost something that was committed')
    // A commit does not take the loss over.
    await town.ok('bead', 'create', '--id', 'b-6', 'bead 6')
    await town.ok('store', 'commit')
    expect((await town.gt('status')).stdout).toContain('lost something that was committed')
    const said = await doctor(town, '--fix')
    expect(said).toMatchObject({ exitCode: 0, problems: 0 })
    expect(said.mended[0]?.did).toContain('1 record put back')
    expect(await town.ok('bead', 'list')).toMatch(/^b-2 /m)
    expect((await town.gt('status')).stdout).not.toContain('lost something')
  })

  it('brings everything back after rm -rf of any part but the history', async () => {
    await using town = await townWithBeads()
    for (const name of ['log', 'cache', 'local', 'blob']) {
      rmSync(join(town.root, '.beads', name), { recursive: true, force: true })
      const ran = await town.gt('doctor', '--fix')
      expectNoStack(ran)
      expect(ran.exitCode, `${name}: ${ran.stdout}`).toBe(0)
      expect((await town.ok('bead', 'list')).match(/b-\d/g)).toHaveLength(5)
    }
    rmSync(join(town.root, '.beads/.git'), { recursive: true, force: true })
    expect((await town.gt('doctor', '--fix')).exitCode).toBe(0)
  })

  it('says what is lost when history does not know it either', async () => {
    await using town = await townWithBeads()
    await town.ok('bead', 'create', '--id', 'b-9', 'unsaved')
    edit(town, (text) => text.replace('"unsaved"', '"changed"'))
    const said = await doctor(town, '--fix')
    expect(said).toMatchObject({ exitCode: 1, problems: 1 })
    expect(said.mended[0]?.left).toContain('nothing in history tells')
    const again = await doctor(town)
    expect(again).toMatchObject({ exitCode: 0 })
    expect(ids(again, 'note')).toEqual(['aside'])
  })

  it('examines the store also when town.toml is broken, and lists its problems', async () => {
    await using town = await townWithBeads()
    town.appendToml('[no such table')
    edit(town, (text) => text.replace('"bead 3"', '"bead X"'))
    const said = await doctor(town)
    expect(said.exitCode).toBe(1)
    expect(ids(said, 'error')).toEqual(expect.arrayContaining(['config', 'log-bad-line']))
    const fixed = await doctor(town, '--fix')
    expect(ids(fixed, 'error')).toEqual(['config'])
  })

  it('finds claims, hooks and dependencies that do not fit', async () => {
    await using town = await townWithBeads()
    const ledger = openLedger(join(town.root, '.beads'))
    const move = (id: string, assignee: string) =>
      ({ o: 'move', id, gen: 2, f: { status: 'hooked', assignee } }) as const
    ledger.transact('human', () => ({
      ops: [
        { o: 'new', id: 'p/two', k: 'agent', f: { rig: 'p', role: 'polecat', runtime: 'bare', hook: 'b-1' } },
        {
          o: 'new',
          id: 'p/none',
          k: 'agent',
          f: { rig: 'p', role: 'polecat', runtime: 'bare', hook: 'b-99' },
        },
        move('b-1', 'p/two'),
        move('b-2', 'p/two'),
        move('b-3', 'p/ghost'),
        { o: 'add', id: 'b-4', f: 'deps', x: ['blocks:b-5', 'blocks:nothing'] },
        { o: 'add', id: 'b-5', f: 'deps', x: ['blocks:b-4'] },
      ],
    }))
    ledger.close()
    const said = await doctor(town)
    expect(said.exitCode).toBe(1)
    expect(ids(said, 'warning', 'error')).toEqual(
      expect.arrayContaining([
        'two-hooks',
        'hooked-by-nobody',
        'hook-without-bead',
        'dependency-on-nothing',
        'dependency-circle',
      ]),
    )
    const texts = said.groups.flatMap(({ findings }) => findings.map(({ what }) => what))
    expect(texts).toContain('beads wait for each other: b-4 -> b-5 -> b-4')
    // What the hints say can be done.
    await town.ok('bead', 'dep', 'remove', 'b-4', 'nothing')
    await town.ok('bead', 'dep', 'remove', 'b-4', 'b-5')
    expect(ids(await doctor(town), 'warning', 'error')).not.toEqual(
      expect.arrayContaining(['dependency-on-nothing', 'dependency-circle']),
    )
  })

  it('names programs that are missing, too old or not the tested ones, and repositories that are gone', async () => {
    await using town = await townWithBeads()
    const repository = town.makeRepository('proj', { 'a.txt': 'a\n' })
    await town.ok('rig', 'add', 'proj', repository)
    town.program('tmux', 'echo tmux 2.9')
    town.program('opencode', 'echo 9.9.9')
    rmSync(repository, { recursive: true })
    const said = await doctor(town)
    expect(said.exitCode).toBe(1)
    const found = said.groups.flatMap(({ findings }) => findings)
    expect(found.find(({ id }) => id === 'tool-tmux')?.what).toBe('tmux 2.9 is older than 3.2')
    expect(found.find(({ id }) => id === 'tool-opencode')).toMatchObject({ severity: 'note' })
    expect(found.find(({ id }) => id === 'rig')?.what).toContain(`${repository} is no git repository`)
    const without = await town.gtIn(town.root, { env: { PATH: '/usr/bin:/bin' } }, 'doctor', '--json')
    expect(without.stdout).toContain('opencode is not on PATH')
  })

  it('refuses a folder that is no town, and arguments it does not know', async () => {
    await using town = await testTown({ bare: true })
    const none = await town.gtIn(town.dir, {}, 'doctor')
    expect(none.exitCode).toBe(4)
    const wrong = await town.gtIn(town.dir, {}, 'doctor', '--mend')
    expect(wrong.exitCode).toBe(2)
  })
})

describe('gt store size and gt store rebuild', () => {
  it('tell where the bytes are, and make the cache again', async () => {
    await using town = await townWithBeads()
    await town.ok('bead', 'comment', 'b-1', 'word '.repeat(20_000))
    const size = await town.json<{
      kinds: { kind: string; count: number }[]
      largest: { id: string; sizeBytes: number }[]
    }>('store', 'size')
    expect(size.kinds).toContainEqual({ kind: 'bead', count: 5, sizeBytes: expect.any(Number) })
    expect(size.largest[0]).toMatchObject({ id: 'b-1' })
    expect(size.largest[0]?.sizeBytes).toBeGreaterThan(100_000)
    expect(await town.ok('store', 'size')).toMatch(/^FOLDER +FILES +BYTES$/m)
    writeFileSync(join(town.root, '.beads/cache/snap'), 'noise')
    expect(await town.ok('store', 'rebuild')).toContain('made the cache again')
    expect(readFileSync(join(town.root, '.beads/cache/snap'), 'latin1')).toMatch(/^gtsnap-/)
    expect(await town.ok('bead', 'list')).toContain('bead 5')
  })
})
