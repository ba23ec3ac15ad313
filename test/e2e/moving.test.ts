import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { testTown } from '../support/test-town.js'

const line = (id: string, more: object = {}) =>
  JSON.stringify({
    id,
    title: `title of ${id}`,
    status: 'open',
    priority: 2,
    issue_type: 'task',
    created_at: '2025-11-20T18:52:33.123456-08:00',
    updated_at: '2025-11-21T18:52:33.123456-08:00',
    ...more,
  })

const many = (count: number) => Array.from({ length: count }, (_, i) => line(`bd-${i}`)).join('\n')

describe('gt import and gt export', () => {
  it('take beads of bd in and write them out again as they were', async () => {
    await using town = await testTown()
    const file = join(town.dir, 'issues.jsonl')
    const lines = [
      line('bd-a1b2', { labels: ['x'], future: { deep: [1, null] } }),
      line('bd-a1b2.3', {
        dependencies: [{ issue_id: 'bd-a1b2.3', depends_on_id: 'bd-a1b2', type: 'blocks' }],
      }),
      line('bd-dead', { status: 'tombstone', deleted_at: '2025-12-01T00:00:00Z', deleted_by: 'steve' }),
      line('bd-msg', { issue_type: 'message', sender: 'mayor/', assignee: 'steve' }),
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    expect(await town.json('import', file, '--dry-run')).toMatchObject({
      dry_run: true,
      created: { length: 4 },
    })
    expect(await town.json('bead', 'list')).toEqual({ beads: [] })
    expect(await town.ok('import', file)).toContain('4 created, 0 updated, 0 unchanged')
    const again = await town.gtIn(town.root, { input: lines.join('\n') }, 'import', '-')
    expect(again.stdout).toContain('0 created, 0 updated, 4 unchanged')
    const listed = await town.json<{ beads: { id: string; blocked: boolean; updated_at: string }[] }>(
      'bead',
      'list',
    )
    expect(listed.beads.map(({ id, blocked }) => [id, blocked])).toEqual([
      ['bd-a1b2', false],
      ['bd-a1b2.3', true],
    ])
    expect(listed.beads[0]?.updated_at).toBe('2025-11-22T02:52:33.123Z')
    await town.ok('export', 'out.jsonl')
    const out = readFileSync(join(town.root, 'out.jsonl'), 'utf8').trim().split('\n')
    expect(out.map((text) => JSON.parse(text) as unknown)).toEqual(
      lines.map((text) => JSON.parse(text) as unknown),
    )
    expect(await town.ok('export')).toBe(`${out.join('\n')}\n`)
  })

  it('refuse a file with bad lines as a whole, and say which', async () => {
    await using town = await testTown()
    const input = `${line('bd-1')}\n{"id"\n${line('bd-2')}`
    const refused = await town.gtIn(town.root, { input }, 'import', '-')
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
    expect(refused.stderr).toContain('line 2: not JSON')
    expect(refused.stderr).toContain('--skip-bad')
    const asJson = await town.gtIn(town.root, { input }, 'import', '-', '--json')
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      error: { code: 'bad-lines', details: { refused: [{ line: 2 }] } },
    })
    const taken = await town.gtIn(town.root, { input }, 'import', '-', '--skip-bad')
    expect(taken.stdout).toContain('2 created, 0 updated, 0 unchanged, 0 kept as they are here, 1 refused')
    expect((await town.gt('import', 'nowhere.jsonl')).exitCode).toBe(4)
    expect((await town.gt('import')).exitCode).toBe(2)
  })

  it('say what is in the way of a file, and leave nothing lying about', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', 'one')
    const folder = join(town.dir, 'folder')
    mkdirSync(folder)
    const pipe = join(town.dir, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const target of [
      folder,
      join(folder, 'a/b.jsonl'),
      pipe,
      '/proc/x',
      join(folder, 'x'.repeat(300)),
    ]) {
      const ran = await town.gt('export', target)
      expect(ran.exitCode, target).toBe(6)
      expect(ran.stderr).toContain('cannot be written')
      const asJson = await town.gt('export', target, '--json')
      expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: 'not-written' } })
    }
    expect(readdirSync(folder)).toEqual([])
    expect(lstatSync(pipe).isFIFO()).toBe(true)
    expect(readdirSync(town.dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
    const imported = await town.gt('import', folder)
    expect(imported.exitCode).toBe(2)
    expect(imported.stderr).toContain('--from gastown')
  })

  it('refuse options that the source does not know', async () => {
    await using town = await testTown()
    const wrong = [
      ['bd', '--state', 'open'],
      ['bd', '--label', 'x'],
      ['bd', '--prefix', 'x'],
      ['gastown', '--rig', 'x'],
      ['github', '--skip-bad'],
    ]
    for (const [source = '', ...options] of wrong) {
      const ran = await town.gt('import', 'a/b', '--from', source, ...options)
      expect(ran.exitCode, `${source} ${options}`).toBe(2)
      expect(ran.stderr).toContain(`has no meaning with --from ${source}`)
    }
  })

  it('show names that somebody else chose without what could drive a terminal', async () => {
    await using town = await testTown()
    const evil = 'a\u001b[31m\u009b2J\u0007b'
    const issue = line('bd-1', {
      title: evil,
      created_by: evil,
      assignee: evil,
      labels: [evil],
      notes: evil,
      rig: evil,
      comments: [{ id: 1, issue_id: 'bd-1', author: evil, text: evil, created_at: '2025-11-20T10:00:00Z' }],
      dependencies: ['blocks', 'related', evil].map((type) => ({
        issue_id: 'bd-1',
        depends_on_id: evil,
        type,
      })),
    })
    const message = line('bd-2', { issue_type: 'message', sender: evil, assignee: 'human', title: evil })
    const ran = await town.gtIn(town.root, { input: `${issue}\n${message}` }, 'import', '-')
    expect(ran.exitCode, ran.stderr).toBe(0)
    const commands = [
      'bead list',
      'bead list --text a',
      'bead show bd-1',
      'bead dep tree bd-1',
      'bead search 31m',
      'bead history bd-1',
      'bead label add bd-1 x',
      'log',
      'events',
      'export',
      'mail inbox',
      'mail read bd-2',
      'status',
    ]
    for (const command of commands) {
      const { exitCode, stdout, stderr } = await town.gt(...command.split(' '))
      expect(exitCode, `${command}: ${stderr}`).toBe(0)
      expect(`${stdout}${stderr}`, command).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    }
    expect((await town.json<{ issues: object[] }>('export')).issues[0]).toMatchObject({
      assignee: evil,
      rig: evil,
    })
  })

  it('go on where they were killed', async () => {
    await using town = await testTown()
    const input = many(250)
    const killed = await town.gtIn(town.root, { input, env: { GT_KILL_AT: 'import.batch' } }, 'import', '-')
    expect(killed.signal).toBe('SIGKILL')
    const rest = await town.gtIn(town.root, { input }, 'import', '-')
    expect(rest.stdout).toContain('150 created, 0 updated, 100 unchanged')
    expect((await town.json<{ issues: unknown[] }>('export')).issues).toEqual(
      input
        .split('\n')
        .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
        .map((text) => JSON.parse(text) as unknown),
    )
  })
})

function idOf(text: string): string {
  return (JSON.parse(text) as { id: string }).id
}
