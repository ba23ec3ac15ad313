import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TestTown, testTown } from '../support/test-town.js'

interface Receipt {
  rigs: { added: string[]; known: string[] }
  stores: { file: string; created: string[]; unchanged: number }[]
  crew: { added: string[]; known: string[] }
  left: { what: string; why: string; failed: boolean }[]
}

const dates = { created_at: '2025-12-01T08:00:00Z', updated_at: '2025-12-02T08:00:00.5-08:00' }
const line = (issue: object) =>
  JSON.stringify({ status: 'open', priority: 2, issue_type: 'task', ...dates, ...issue })

/** A home as gastown's docs/design/architecture.md draws it, with what beads of that time wrote. */
function makeHome(town: TestTown): string {
  const home = join(town.dir, 'old-gt')
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  const proj = town.makeRepository('proj-origin', { 'README.md': '# proj\n' })
  town.git(proj, 'branch', 'trunk')
  const rigs = {
    my_proj: {
      git_url: proj,
      local_repo: '',
      added_at: '2025-12-01T00:00:00Z',
      beads: { repo: 'local', prefix: 'mp-' },
    },
    lost: {
      git_url: join(town.dir, 'nowhere.git'),
      added_at: '2025-12-01T00:00:00Z',
      beads: { repo: 'local', prefix: 'lo' },
    },
  }
  write(
    'mayor/town.json',
    JSON.stringify({ type: 'town', version: 2, name: 'old', created_at: '2025-12-01T00:00:00Z' }),
  )
  write('mayor/rigs.json', JSON.stringify({ version: 1, rigs }))
  write(
    '.beads/routes.jsonl',
    [
      '{"prefix":"hq-","path":"."}',
      '{"prefix":"mp-","path":"my_proj/mayor/rig"}',
      '{"prefix":"lo-","path":"lost/mayor/rig"}',
      line({ id: 'hq-stray', title: 'bd wrote this here' }),
    ].join('\n'),
  )
  write(
    '.beads/issues.jsonl',
    [
      line({ id: 'hq-mayor', title: 'Mayor', issue_type: 'agent', labels: ['gt:agent'] }),
      line({
        id: 'hq-m1',
        title: 'please look',
        description: 'at it',
        issue_type: 'message',
        sender: 'my_proj/crew/Max',
        assignee: 'overseer',
      }),
      line({
        id: 'hq-cv-abc',
        title: 'release',
        issue_type: 'convoy',
        dependencies: [
          {
            issue_id: 'hq-cv-abc',
            depends_on_id: 'mp-1',
            type: 'tracks',
            created_at: '2025-12-01T00:00:00Z',
            created_by: 'mayor',
          },
          {
            issue_id: 'hq-cv-abc',
            depends_on_id: 'mp-2',
            type: 'tracks',
            created_at: '2025-12-01T00:00:00Z',
            created_by: 'mayor',
          },
        ],
      }),
    ].join('\n'),
  )
  // The rig's own folder only points at where its beads are.
  write('my_proj/mayor/rig/.beads/redirect', '../../.beads\n')
  write(
    'my_proj/.beads/issues.jsonl',
    [
      line({ id: 'mp-1', title: 'first', status: 'closed', closed_at: '2025-12-02T00:00:00Z' }),
      line({ id: 'mp-2', title: 'second', status: 'hooked', assignee: 'my_proj/polecats/nux' }),
      line({
        id: 'mp-2.1',
        title: 'part of it',
        dependencies: [{ issue_id: 'mp-2.1', depends_on_id: 'mp-2', type: 'parent-child' }],
      }),
    ].join('\n'),
  )
  write(
    'my_proj/config.json',
    JSON.stringify({
      type: 'rig',
      version: 1,
      name: 'my_proj',
      git_url: proj,
      default_branch: 'trunk',
      beads: { prefix: 'mp' },
    }),
  )
  write(
    'my_proj/settings/config.json',
    JSON.stringify({
      type: 'rig-settings',
      version: 1,
      merge_queue: { enabled: true, run_tests: true, lint_command: '', test_command: 'make test' },
    }),
  )
  write('my_proj/crew/Max/src/main.c', 'int main;\n')
  write('my_proj/polecats/nux/my_proj/file', 'x\n')
  write('directives/polecat.md', 'be brief\n')
  return home
}

/** Every file of a folder with its content: the home must stay as it is. */
function photograph(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(folder, name)
      return statSync(path).isFile() ? `${name}\n${readFileSync(path, 'utf8')}` : name
    })
    .join('\n')
}

describe('gt import --from gastown', () => {
  it('takes rigs, beads, mail, convoys and crew over, and says what it left', async () => {
    await using town = await testTown()
    const home = makeHome(town)
    const before = photograph(home)
    const planned = await town.gt('import', '--from', 'gastown', home, '--dry-run')
    expect(planned.stdout).toContain('nothing was written')
    expect(await town.json('rig', 'list')).toEqual({ rigs: [] })

    const ran = await town.gt('import', '--from', 'gastown', home, '--json')
    expect(ran.exitCode, 'a rig could not be had').toBe(1)
    const receipt = JSON.parse(ran.stdout) as Receipt
    expect(receipt.rigs).toEqual({ added: ['my-proj'], known: [] })
    expect(receipt.stores.map(({ created }) => created.length)).toEqual([3, 3])
    expect(receipt.crew.added).toEqual(['my-proj/max'])
    const failed = receipt.left.filter((one) => one.failed).map(({ what }) => what)
    expect(failed).toEqual(['beads lo-* in lost/mayor/rig', 'rig lost'])
    const left = receipt.left.filter((one) => !one.failed).map(({ what }) => what)
    expect(left).toEqual(['polecat my_proj/nux', 'directives/'])

    const rig = await town.json<{ rig: object }>('rig', 'show', 'my-proj')
    expect(rig.rig).toMatchObject({ branch: 'trunk', prefix: 'mp', gates: [{ run: 'make test' }] })
    const ready = await town.json<{ beads: { id: string; rig: string }[] }>('bead', 'ready')
    expect(ready.beads.map(({ id, rig: of }) => [id, of]).sort()).toEqual([
      ['mp-2', 'my-proj'],
      ['mp-2.1', 'my-proj'],
    ])
    const convoy = await town.ok('convoy', 'show', 'hq-cv-abc')
    expect(convoy).toContain('1/2')
    const inbox = await town.ok('mail', 'inbox', '--all')
    expect(inbox).toContain('please look')
    expect(inbox).toContain('my-proj/max')
    const agent = await town.json<{ agent: object }>('agent', 'show', 'my-proj/max')
    expect(agent.agent).toMatchObject({ role: 'crew' })
    expect(photograph(home)).toBe(before)
    // As it was, every line of it.
    const out = (await town.json<{ issues: { id: string }[] }>('export')).issues
    const inThere = ['.beads', 'my_proj/.beads'].flatMap((dir) =>
      readFileSync(join(home, dir, 'issues.jsonl'), 'utf8')
        .split('\n')
        .map((text) => JSON.parse(text) as { id: string }),
    )
    expect(out).toEqual(inThere.sort((a, b) => (a.id < b.id ? -1 : 1)))

    const again = JSON.parse((await town.gt('import', '--from', 'gastown', home, '--json')).stdout) as Receipt
    expect(again.rigs).toEqual({ added: [], known: ['my-proj'] })
    expect(again.stores.map(({ created, unchanged }) => [created.length, unchanged])).toEqual([
      [0, 3],
      [0, 3],
    ])
    expect(again.crew).toEqual({ added: [], known: ['my-proj/max'] })
  })

  it('takes nothing when lines are bad, and says in which file', async () => {
    await using town = await testTown()
    const home = makeHome(town)
    writeFileSync(join(home, 'my_proj/.beads/issues.jsonl'), 'oops\n')
    const ran = await town.gt('import', '--from', 'gastown', home)
    expect(ran.exitCode).toBe(1)
    expect(ran.stderr).toMatch(/my_proj\/\.beads\/issues\.jsonl: .*\n {2}line 1: not JSON/)
    expect(await town.json('rig', 'list')).toEqual({ rigs: [] })
    expect(await town.json('bead', 'list')).toEqual({ beads: [] })
    expect((await town.gt('import', '--from', 'gastown', town.root)).exitCode).toBe(4)
    expect((await town.gt('import', '--from', 'gastown')).exitCode).toBe(2)
    expect((await town.gt('import', '--from', 'jira')).exitCode).toBe(2)
  })
})
