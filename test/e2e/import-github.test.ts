import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TestTown, testTown } from '../support/test-town.js'

/** The shape of `gh issue list --json …` (gh 2.x), with the parts that gt does not ask for left in where gh writes them unasked. */
const person = (login: string) => ({ id: 'U_kgDOB', is_bot: false, login, name: '' })
const issue = (number: number, more: object = {}) => ({
  assignees: [],
  author: person('octocat'),
  body: `body of ${number}\r\nsecond line`,
  closedAt: null,
  comments: [],
  createdAt: '2026-01-02T03:04:05Z',
  labels: [],
  milestone: null,
  number,
  state: 'OPEN',
  stateReason: '',
  title: `title of ${number}`,
  updatedAt: '2026-01-03T03:04:05Z',
  url: `https://github.com/octo/proj/issues/${number}`,
  ...more,
})
const label = (name: string) => ({ id: 'LA_kwDOB', name, description: '', color: 'd73a4a' })
const comment = (id: string, body: string) => ({
  id,
  author: { login: 'hubot' },
  authorAssociation: 'NONE',
  body,
  createdAt: '2026-01-02T10:00:00Z',
  includesCreatedEdit: false,
  isMinimized: false,
  minimizedReason: '',
  reactionGroups: [],
  url: `https://github.com/octo/proj/issues/7#issuecomment-${id}`,
  viewerDidAuthor: false,
})

/** A program named gh that notes how it was called and says again what was recorded. */
function fakeGh(town: TestTown, recorded: unknown[], body = ''): void {
  writeFileSync(join(town.dir, 'recorded.json'), JSON.stringify(recorded))
  const view = join(town.dir, 'view.json')
  town.program(
    'gh',
    `echo "$*" >> '${town.dir}/calls'\n${body}\ncase "$1 $2" in "issue view") cat '${view}';; *) cat '${join(town.dir, 'recorded.json')}';; esac`,
  )
}

const calls = (town: TestTown) => readFileSync(join(town.dir, 'calls'), 'utf8').trim().split('\n')

describe('gt import --from github', () => {
  it('makes beads of issues, updates them later, and leaves what was changed here since', async () => {
    await using town = await testTown()
    fakeGh(town, [
      issue(7, {
        labels: [label('bug'), label('a b')],
        assignees: [person('mona')],
        comments: [comment('IC_1', 'me too')],
      }),
      issue(8, {
        state: 'CLOSED',
        stateReason: 'NOT_PLANNED',
        closedAt: '2026-01-03T00:00:00Z',
        milestone: { number: 1, title: 'v1', description: '', dueOn: null },
      }),
    ])
    expect(
      await town.ok(
        'import',
        '--from',
        'github',
        'octo/proj',
        '--state',
        'all',
        '--label',
        'bug',
        '--label',
        'x',
      ),
    ).toContain('2 created')
    expect(calls(town)[0]).toMatch(
      /^issue list --state all --limit 10000 --label bug --label x --json number,title,.* --repo octo\/proj$/,
    )
    const shown = await town.json<{ bead: Record<string, unknown> }>('bead', 'show', 'gh-7')
    expect(shown.bead).toMatchObject({
      title: 'title of 7',
      description: 'body of 7\r\nsecond line',
      status: 'open',
      issue_type: 'bug',
      labels: ['a b', 'bug'],
      created_by: 'octocat',
      created_at: '2026-01-02T03:04:05.000Z',
      assignee: 'mona',
      comments: [{ by: 'hubot', text: 'me too', at: '2026-01-02T10:00:00.000Z' }],
    })
    const exported = (await town.json<{ issues: Record<string, unknown>[] }>('export')).issues
    expect(exported[0]?.external_ref).toBe('https://github.com/octo/proj/issues/7')
    expect(exported[1]).toMatchObject({
      status: 'closed',
      close_reason: 'not_planned',
      metadata: { github_milestone: 'v1' },
    })

    await town.ok('bead', 'update', 'gh-7', '-p', '0')
    expect(await town.ok('import', '--from', 'github', 'octo/proj', '--state', 'all')).toContain(
      '0 created, 0 updated',
    )
    fakeGh(town, [
      issue(7, {
        title: 'better title',
        updatedAt: '2026-01-05T00:00:00Z',
        comments: [comment('IC_1', 'me too'), comment('IC_2', 'still')],
      }),
      issue(8, { title: 'again', updatedAt: '2026-01-05T00:00:00Z' }),
    ])
    expect(await town.ok('import', '--from', 'github', 'octo/proj', '--state', 'all')).toContain('2 updated')
    const later = await town.json<{ bead: { comments: object[] } }>('bead', 'show', 'gh-7')
    expect(later.bead).toMatchObject({
      title: 'better title',
      labels: [],
      priority: 0,
      comments: { length: 2 },
    })
    expect(await town.json('bead', 'show', 'gh-8')).toMatchObject({ bead: { status: 'open' } })

    // Numbers begin anew in another repository.
    fakeGh(town, [issue(7, { url: 'https://github.com/octo/other/issues/7' })])
    const other = await town.gt('import', '--from', 'github', 'octo/other')
    expect(other.exitCode).toBe(5)
    expect(other.stderr).toContain('--prefix')
    await town.ok('import', '--from', 'github', 'octo/other', '--prefix', 'other')
    expect(await town.ok('bead', 'list')).toContain('other-7')
  })

  it('asks for all comments where the list brings only some, and for the repository of the rig', async () => {
    await using town = await testTown()
    town.appendToml('[rigs.proj]\nurl = "git@github.com:octo/proj.git"\nprefix = "pr"')
    const all = Array.from({ length: 130 }, (_, i) => comment(`IC_${i}`, `comment ${i}`))
    fakeGh(town, [issue(9, { comments: all.slice(0, 100) })])
    writeFileSync(join(town.dir, 'view.json'), JSON.stringify({ comments: all }))
    await town.ok('import', '--from', 'github', '--rig', 'proj')
    expect(calls(town).map((line) => line.replace(/--json \S+/, ''))).toEqual([
      'issue list --state open --limit 10000  --repo octo/proj',
      'issue view 9  --repo octo/proj',
    ])
    const shown = await town.json<{ bead: { comments: object[] } }>('bead', 'show', 'pr-9')
    expect(shown.bead).toMatchObject({ rig: 'proj', comments: { length: 130 } })
  })

  it('takes an answer that holds no issues for a failure, and imports nothing', async () => {
    await using town = await testTown()
    const answers: unknown[] = [
      { message: 'API rate limit exceeded' },
      null,
      [null],
      [issue(7), { ...issue(8), number: undefined }],
      [issue(0)],
      [issue(7, { comments: 'none' })],
    ]
    for (const answer of answers) {
      fakeGh(town, answer as unknown[])
      const ran = await town.gt('import', '--from', 'github', 'octo/proj')
      expect(ran.exitCode, JSON.stringify(answer)).toBe(6)
      expect(ran.stderr).toContain('something else than issues')
    }
    const many = Array.from({ length: 100 }, (_, i) => comment(`IC_${i}`, 'x'))
    fakeGh(town, [issue(9, { comments: many })])
    writeFileSync(join(town.dir, 'view.json'), '{"comments":null}')
    expect((await town.gt('import', '--from', 'github', 'octo/proj')).exitCode).toBe(6)
    expect(await town.json('bead', 'list')).toEqual({ beads: [] })
  })

  it('says clearly that gh is missing, not logged in, or failed', async () => {
    await using town = await testTown()
    const path = { PATH: join(town.dir, 'bin') }
    for (const tool of ['node', 'sh', 'cat', 'readlink']) town.link(tool)
    const gt = () => town.gtIn(town.root, { env: path }, 'import', '--from', 'github', 'octo/proj')
    const missing = await gt()
    expect(missing.exitCode).toBe(6)
    expect(missing.stderr).toMatch(/gh.* is not installed[\s\S]*cli\.github\.com/)
    fakeGh(town, [], "echo 'To get started with GitHub CLI, please run:  gh auth login' >&2; exit 4")
    const login = await gt()
    expect(login.exitCode).toBe(6)
    expect(login.stderr).toMatch(/not logged in[\s\S]*gh auth login/)
    fakeGh(town, [], "echo 'GraphQL: Could not resolve to a Repository' >&2; exit 1")
    expect((await gt()).stderr).toContain('gh failed: GraphQL: Could not resolve')
    fakeGh(town, [], 'echo no json; exit 0')
    rmSync(join(town.dir, 'recorded.json'))
    expect((await gt()).exitCode).toBe(6)
    expect((await town.gt('import', '--from', 'github', 'not a repo')).exitCode).toBe(2)
    expect((await town.gt('import', '--from', 'github', 'a/b', '--state', 'odd')).exitCode).toBe(2)
    expect(await town.json('bead', 'list')).toEqual({ beads: [] })
  })
})
