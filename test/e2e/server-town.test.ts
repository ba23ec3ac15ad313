import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GT } from '../support/run-gt.js'
import { type TestTown, until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  beadOf,
  eventsOf,
  opencodeTown,
  pidsRunning,
  promptOf,
  status,
  subjects,
  untilLanded,
  untilState,
  waitForFile,
} from './support-opencode.js'

/** Looks at its context, makes one file named after its bead, commits, hands it in, and waits for its end. */
const WORKER = `
[runtimes.worker]
command = ["a-worker"]
`
const WORKER_SCRIPT = `
mkdir -p done && printf '%s\\n' "$GT_BEAD" > "done/$GT_BEAD.txt"
git add -A && git commit --quiet -m "do $GT_BEAD" && gt done > "$GT_RUN_DIR/handed-in-$GT_BEAD.txt" 2>&1
exec sleep 100000`

const works = (bead: string) => ({
  name: bead,
  when: promptOf(bead),
  steps: [
    {
      tools: [
        bash(`echo ${bead} > ${bead}.txt && git add -A && git commit --quiet -m "do ${bead}" && gt done`),
      ],
    },
    { say: 'Handed in.' },
  ],
})

const waits = (bead: string) => ({
  name: bead,
  when: promptOf(bead),
  steps: [
    {
      say: `This is ${bead} speaking.\nI wait now.`,
      tools: [bash(waitForFile('go'), 'echo THE-TOOL-ENDED')],
    },
    { say: 'The turn is over.' },
  ],
})

describe('a hybrid town', () => {
  it('lands a convoy whose agents run on a server, as OpenCode in tmux, and as another program', async () => {
    await using lab = await opencodeTown({
      backend: 'hybrid',
      toml: WORKER,
      turns: [works('c-1'), works('c-2')],
      gates: ['while [ ! -e ../../../gate-go ]; do sleep 0.05; done'],
    })
    const { town, clone } = lab
    town.program('a-worker', WORKER_SCRIPT)
    for (const id of ['c-1', 'c-2', 'c-3']) await town.ok('bead', 'create', '--id', id, id)
    await town.ok('convoy', 'create', 'mixed', 'c-1', 'c-2', 'c-3')
    await town.ok('sling', 'c-1', 'proj', '--name', 'served')
    await town.ok('sling', 'c-2', 'proj', '--name', 'paned', '--backend', 'tmux')
    await town.ok('sling', 'c-3', 'proj', '--name', 'other', '--agent', 'worker')
    const seen = (await status(town)).agents.map(({ name, backend, location }) => [name, backend, location])
    expect(Object.fromEntries(seen.map(([name, ...rest]) => [name, rest]))).toEqual({
      served: ['opencode', expect.stringMatching(/^OpenCode server 1 \(port \d+\)$/)],
      paned: ['tmux', expect.stringMatching(/^pane %\d+$/)],
      other: ['tmux', expect.stringMatching(/^pane %\d+$/)],
    })
    await until('all hand-ins', async () => {
      const beads = await Promise.all(['c-1', 'c-2', 'c-3'].map((id) => beadOf(town, id)))
      return beads.every((bead) => bead.status === 'in_review') || undefined
    })
    writeFileSync(join(town.root, 'gate-go'), '')
    for (const id of ['c-1', 'c-2', 'c-3']) await untilLanded(town, id)
    expect(subjects(town, clone).toSorted()).toEqual(['do c-1', 'do c-2', 'do c-3', 'first'])
    expect(await town.ok('convoy', 'show')).toContain('3/3')
    expect((await status(town)).problems).toEqual([])
    await until('the end of everything that ran', () => town.processes().length === 0 || undefined)
  })

  it('takes the nearest word about the backend: flag, role, rig, town', async () => {
    await using lab = await opencodeTown({
      backend: 'opencode',
      turns: [waits('r-1'), waits('r-2'), waits('r-3')],
    })
    const { town } = lab
    writeFileSync(join(town.root, 'paned.md'), 'You work in a pane.\n')
    town.appendToml('[roles.paned]\ntemplate = "paned.md"\nbackend = "tmux"\nends = "done"\n')
    for (const id of ['r-1', 'r-2']) await town.ok('bead', 'create', '--id', id, id)
    await town.ok('sling', 'r-1', 'proj', '--name', 'a', '--role', 'paned')
    expect(await agentOf(town, 'proj/a')).toMatchObject({ backend: 'tmux' })
    await town.ok('sling', 'r-2', 'proj', '--name', 'b', '--role', 'paned', '--backend', 'opencode')
    expect(await agentOf(town, 'proj/b')).toMatchObject({ backend: 'opencode' })
    await town.ok('bead', 'create', '--id', 'r-3', 'r-3')
    const { pool } = await town.json<{ pool: { id: string } }>(
      'pool',
      'start',
      'proj',
      '--count',
      '1',
      '--backend',
      'tmux',
    )
    await town.ok('pool', 'assign', 'r-3')
    expect((await status(town)).agents.find(({ bead }) => bead?.id === 'r-3')).toMatchObject({
      backend: 'tmux',
    })
    const wrong = await town.gt('sling', 'r-2', 'proj', '--backend', 'opencod')
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean opencode?') })
    await town.ok('pool', 'stop', pool.id)
    for (const id of ['r-1', 'r-2', 'r-3']) await town.ok('unsling', id)
    // A program that is not OpenCode is refused before anything is claimed.
    town.appendToml(WORKER)
    town.program('a-worker', WORKER_SCRIPT)
    const refused = await town.gt('sling', 'r-2', 'proj', '--agent', 'worker')
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is not OpenCode') })
    expect(await beadOf(town, 'r-2')).toMatchObject({ status: 'open' })
    await until('the end of everything that ran', () => town.processes().length === 0 || undefined)
  })
})

describe('an agent on a server', () => {
  it('is followed, interrupted, stopped, resumed and removed by the same commands', async () => {
    await using lab = await opencodeTown({
      backend: 'opencode',
      turns: [
        waits('t-1'),
        { name: 'told', when: { userText: /SAY-SOMETHING/ }, steps: [{ say: 'first said\nlast said' }] },
        {
          name: 'again',
          when: { userText: /^\[gt\] Your last session ended/ },
          steps: [{ say: 'Here again.' }],
        },
      ],
    })
    const { town } = lab
    await town.ok('bead', 'create', '--id', 't-1', 'talk')
    await town.ok('sling', 't-1', 'proj')
    await untilState(town, 'proj/toast', 'working')
    const tail = follow(town, 'toast')
    await until('what it said', () => tail.lines().includes('I wait now.') || undefined)
    await until('its tool', () => pidsRunning(town, 'THE-TOOL-ENDED').length > 0 || undefined)
    await town.ok('agent', 'abort', 'toast')
    await until('the interrupt', () => tail.lines().includes('! interrupted') || undefined)
    await until('the end of its tool', () => pidsRunning(town, 'THE-TOOL-ENDED').length === 0 || undefined)
    await untilState(town, 'proj/toast', 'idle')
    expect(await town.ok('send', 'toast', 'SAY-SOMETHING')).toMatch(/^accepted by proj\/toast/)
    await until('what it says', () => tail.lines().includes('last said') || undefined)
    expect(tail.lines().filter((line) => line === 'first said')).toHaveLength(1)
    expect(await town.ok('tail', 'toast', '-n', '2')).toBe('first said\nlast said\n')

    await town.ok('agent', 'stop', 'toast')
    expect(await tail.end).toBe(0)
    expect(await agentOf(town, 'proj/toast')).toMatchObject({
      state: 'stopped',
      worktree: expect.any(String),
    })
    await until('nothing to run', () => town.processes().length === 0 || undefined)
    expect(await town.ok('peek', 'toast')).toContain('last said')
    expect(await town.ok('agent', 'resume', 'toast')).toMatch(/OpenCode server .*its conversation goes on/)
    await until('its word', async () => (await town.ok('peek', 'toast')).includes('Here again.') || undefined)
    await town.ok('unsling', 't-1')
    expect((await agentOf(town, 'proj/toast')).worktree).toBeUndefined()
    await until('nothing to run', () => town.processes().length === 0 || undefined)
  })

  it('moves to a terminal and back when it is told to', async () => {
    await using lab = await opencodeTown({
      backend: 'opencode',
      turns: [
        waits('m-1'),
        {
          name: 'again',
          when: { userText: /^\[gt\] Your last session ended/ },
          steps: [{ say: 'Here again.' }],
        },
      ],
    })
    const { town } = lab
    await town.ok('bead', 'create', '--id', 'm-1', 'move')
    await town.ok('sling', 'm-1', 'proj')
    await town.ok('agent', 'stop', 'toast')
    expect(await town.ok('agent', 'start', 'toast', '--backend', 'tmux')).toMatch(/runs in pane %\d+/)
    expect(await agentOf(town, 'proj/toast')).toMatchObject({ backend: 'tmux' })
    await untilState(town, 'proj/toast', 'working')
    await town.ok('agent', 'stop', 'toast')
    expect(await town.ok('agent', 'resume', 'toast', '--backend', 'opencode')).toContain('a new conversation')
    expect(await agentOf(town, 'proj/toast')).toMatchObject({ backend: 'opencode' })
    await town.ok('unsling', 'm-1')
    await until('nothing to run', () => town.processes().length === 0 || undefined)
  })

  it('goes to tmux when no server starts, with a remark and an event, unless that is not wanted', async () => {
    await using lab = await opencodeTown({
      backend: 'hybrid',
      toml: '[runtimes.half]\nextends = "opencode"\ncommand = ["half-an-opencode"]\n',
      turns: [waits('f-1')],
    })
    const { town } = lab
    town.program(
      'half-an-opencode',
      '[ "$1" = serve ] && { echo "no server today" >&2; exit 9; }\nexec opencode "$@"',
    )
    await town.ok('bead', 'create', '--id', 'f-1', 'fall back')
    const ran = await town.gt('sling', 'f-1', 'proj', '--agent', 'half', '--json')
    expect(ran).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('no server today') })
    const { slung } = JSON.parse(ran.stdout) as { slung: { fallback?: object }[] }
    expect(slung[0]?.fallback).toMatchObject({
      wanted: 'opencode',
      used: 'tmux',
      why: expect.stringContaining('no server today'),
    })
    expect(await agentOf(town, 'proj/toast')).toMatchObject({ backend: 'tmux' })
    const [fallback] = await eventsOf(town, 'proj/toast', 'session.fallback')
    expect(fallback?.data).toMatchObject({ wanted: 'opencode', used: 'tmux' })
    await untilState(town, 'proj/toast', 'working')
    await town.ok('unsling', 'f-1')

    town.replaceInToml(/^backend = .*$/m, 'backend = "hybrid"\nfallback = "fail"')
    const failed = await town.gt('sling', 'f-1', 'proj', '--agent', 'half')
    expect(failed).toMatchObject({
      exitCode: 6,
      stdout: '',
      stderr: expect.stringContaining('no server today'),
    })
    expect(await beadOf(town, 'f-1')).toMatchObject({ status: 'open' })
    await until('nothing to run', () => town.processes().length === 0 || undefined)
  })
})

describe('a server of the user', () => {
  it('carries agents when it has the plugin of gt, is refused when it has not, and is never ended', async () => {
    await using lab = await opencodeTown({ backend: 'opencode', turns: [works('u-1')] })
    const { town, clone } = lab
    await town.ok('bead', 'create', '--id', 'u-1', 'on their server')
    const cards = join(town.root, 'run/opencode/cards')
    const config = join(town.root, 'run/opencode/server-config')
    const plain = await serve(town, {})
    town.replaceInToml(/^backend = .*$/m, `backend = "opencode"\nopencode_server_url = "${plain.url}"`)
    const password = { GT_OPENCODE_SERVER_PASSWORD: 'theirs' }
    town.replaceInToml(/^backend/m, 'fallback = "fail"\nbackend')
    const sling = (env: Record<string, string>) => town.gtIn(town.root, { env }, 'sling', 'u-1', 'proj')
    expect(await sling({ GT_OPENCODE_SERVER_PASSWORD: 'wrong' })).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('refuses the password'),
    })
    expect(await sling(password)).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('has no plugin of gt'),
    })
    expect(await beadOf(town, 'u-1')).toMatchObject({ status: 'open' })
    await plain.end()

    const theirs = await serve(town, {
      OPENCODE_CONFIG_DIR: config,
      GT_TOWN: town.root,
      GT_OPENCODE_CARDS: cards,
    })
    town.replaceInToml(plain.url, theirs.url)
    expect(await sling(password)).toMatchObject({ exitCode: 0, stderr: '' })
    // The merge queue, which the agent sets going, has not the variable; it reaches the server all the same.
    await untilLanded(town, 'u-1')
    expect(subjects(town, clone)).toEqual(['do u-1', 'first'])
    expect(await town.ok('agents', '--plain')).toContain('done')
    expect(theirs.child.exitCode ?? theirs.child.signalCode).toBeNull()
    await theirs.end()
    await until('nothing to run', () => town.processes().length === 0 || undefined)
  })
})

/** `opencode serve` as a person starts it. */
async function serve(town: TestTown, env: Record<string, string>) {
  const child = spawn('opencode', ['serve', '--port', '0'], {
    cwd: town.root,
    env: {
      ...town.env,
      OPENCODE_SERVER_PASSWORD: 'theirs',
      OPENCODE_CONFIG_DIR: join(town.dir, 'none'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const url = await until('the server', () => /listening on (http:\S+)/.exec(said)?.[1])
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const end = async () => {
    child.kill('SIGTERM')
    await ended
  }
  return { url, child, end }
}

/** `gt tail -f`, until its end. */
function follow(town: TestTown, agent: string) {
  const child = spawn(GT, ['tail', '-f', agent], { cwd: town.root, env: town.env })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  return {
    lines: () => said.split('\n'),
    end: new Promise<number | null>((resolve) => child.once('close', resolve)),
  }
}
