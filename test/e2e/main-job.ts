import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AgentView, TownView } from '../../src/app/town-view.js'
import type { ModelRequest } from '../../src/scripted-model/script.js'
import { run } from '../support/run-gt.js'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  beadOf,
  eventsOf,
  filesInHistory,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  promptOf,
  subjects,
  untilLanded,
  untilState,
  waitForFile,
} from './support-opencode.js'

const AGENT = 'proj/toast'

/** One agent from `gt sling` to the commit on main; the tests look at it on its way, in order. */
export function mainJob(backend: 'tmux' | 'opencode'): void {
  const where = backend === 'tmux' ? /^pane %\d+$/ : /^OpenCode server \d+ \(port \d+\)$/
  let lab: OpencodeTown

  describe(`one job in ${backend}`, () => {
    beforeAll(async () => {
      lab = await opencodeTown({
        gates: ['cat greeting.txt; while [ ! -e ../../../gate-go ]; do sleep 0.05; done'],
        turns: [
          {
            name: 'issue-123',
            when: promptOf('issue-123'),
            steps: [
              {
                say: 'I look around first.',
                tools: [
                  bash(
                    'gt whoami; head -1 AGENTS.md; git status --porcelain --untracked-files=all; git branch --show-current',
                  ),
                ],
              },
              { say: 'Now I wait for LOOKING-AT-ME.', tools: [bash(waitForFile('go'))] },
              {
                tools: [
                  bash(
                    'echo hello > greeting.txt',
                    'git add -A',
                    "git commit --quiet -m 'feat: greet' && git show --stat --format=%s",
                  ),
                ],
              },
              { say: 'Committed. I hand it in.', tools: [bash('gt done')] },
              { say: 'It is in the queue.' },
            ],
          },
        ],
      })
    })
    afterAll(async () => {
      await lab[Symbol.asyncDispose]()
    })

    const toolResults = (): readonly string[] => lastRequest(lab.model, 'issue-123').toolResults

    test('gt bead create and gt sling start an agent on its own branch', async () => {
      const { town, clone } = lab
      await town.ok('bead', 'create', '--id', 'issue-123', 'greet the user', '--rig', 'proj')
      await town.ok('convoy', 'create', 'first delivery', 'issue-123')
      const said = await town.ok('sling', 'issue-123', 'proj', '--agent', 'opencode', '--backend', backend)
      expect(said).toContain('issue-123 → proj/toast on gt/toast/issue-123')
      expect(await beadOf(town, 'issue-123')).toMatchObject({ status: 'hooked', assignee: AGENT })
      expect(town.git(clone, 'status', '--porcelain')).toBe('')
      expect(town.git(clone, 'branch', '--show-current')).toBe('main')
    })

    test('the model gets its context from gt prime, and the worktree its AGENTS.md unseen by git', async () => {
      await until('the second step', () => lab.model.requests.find((one) => one.step === 1))
      const first = lab.model.requests[0] as ModelRequest
      expect(first.userText).toContain('bead issue-123: "greet the user"')
      expect(first.systemText).toContain('# gt: you are proj/toast (polecat)')
      expect(first.systemText).toContain('## Your bead: issue-123 · greet the user')
      expect(first.systemText).toContain('You are a polecat')
      // Through the file that opencode reads by itself, too.
      expect(first.systemText).toContain('You are agent proj/toast (polecat) of the rig proj.')
      const looked = toolResults()[0] ?? ''
      expect(looked.trim().split('\n')).toEqual([
        `proj/toast in ${lab.town.root}`,
        expect.stringContaining('made by gt for this worktree'),
        'gt/toast/issue-123',
      ])
    })

    test('gt agents, gt convoy show and gt status say what is going on', async () => {
      const { town } = lab
      await untilState(town, AGENT, 'working')
      expect(await town.ok('agents')).toMatch(/\* working|● working/)
      expect(await town.ok('agents', '--plain')).toMatch(
        /working +proj\/toast +opencode +issue-123 .*greet the user/,
      )
      const view = await town.json<TownView & Record<string, unknown>>('agents')
      expect(view.agents).toHaveLength(1)
      expect(view.agents[0]).toMatchObject({
        id: AGENT,
        state: 'working',
        detail: '',
        bead: { id: 'issue-123', status: 'hooked' },
        branch: 'gt/toast/issue-123',
        backend,
        location: expect.stringMatching(where),
        conversation: lab.model.requests[0]?.sessionId,
      })
      expect(view.problems).toEqual([])
      expect(await town.ok('convoy', 'show')).toMatch(
        /0\/1 +first delivery · 1 being worked on\n +issue-123 +hooked +proj\/toast/,
      )
    })

    test('gt peek shows its screen', async () => {
      const screen = await lab.town.ok('peek', 'toast')
      expect(screen).toContain('LOOKING-AT-ME')
      if (backend === 'tmux') expect(screen).toContain('esc interrupt')
      else expect(screen).toContain('> [gt] Your hook holds bead issue-123')
    })

    test('gt attach --print gives a command that attaches, and leaving leaves the agent at work', async () => {
      const { town } = lab
      const line = (await town.ok('attach', AGENT, '--print')).trim()
      const person = (...args: string[]) =>
        run('tmux', ['-S', join(town.dir, 'person'), ...args], { cwd: town.dir, env: town.env })
      const screen = async () => (await person('capture-pane', '-p', '-t', 'desk')).stdout
      await person('-f', '/dev/null', 'new-session', '-d', '-s', 'desk', '-x', '120', '-y', '40', 'sh')
      try {
        await person('send-keys', '-t', 'desk', '-l', `${line}; echo LEFT-WITH-$?`)
        await person('send-keys', '-t', 'desk', 'Enter')
        const seen = await until('the agent on the screen', async () => {
          const text = await screen()
          if (text.includes('LOOKING-AT-ME') && text.includes('esc interrupt')) return text
          throw new Error(text)
        })
        expect(seen).toContain('detach: C-b d')
        // The outer tmux takes Ctrl-b, too: twice, so that it passes one on.
        await person('send-keys', '-t', 'desk', 'C-b', 'd')
        await until('the shell again', async () => {
          const text = await screen()
          if (text.includes('LEFT-WITH-0')) return text
          throw new Error(text)
        })
      } finally {
        await person('kill-server')
      }
      expect(await agentOf(town, AGENT)).toMatchObject({ state: 'working' })
    })

    test('gt done puts the commits into the merge queue', async () => {
      const { town } = lab
      writeFileSync(join(town.root, 'go'), '')
      await until('the gate', () => {
        if (existsSync(join(town.root, 'run/logs/gates'))) return true
        const log = join(town.root, 'run/logs/merge-queue.log')
        throw new Error(`${toolResults().at(-1)}\n${existsSync(log) ? readFileSync(log, 'utf8') : 'no log'}`)
      })
      await untilState(town, AGENT, 'idle')
      expect(toolResults()[2]).toContain('feat: greet')
      expect(toolResults()[3]).toContain('issue-123 is in the merge queue')
      expect(await beadOf(town, 'issue-123')).toMatchObject({ status: 'in_review' })
      expect(await town.ok('status')).toMatch(/merge queue:\n +mq-\w+ +running +issue-123 from proj\/toast/)
      expect(subjects(town, lab.clone)).toEqual(['first'])
    })

    test('the merge queue lands the commit, closes the bead in the same record and clears away', async () => {
      const { town, clone } = lab
      const worktree = (await agentOf(town, AGENT)).worktree ?? ''
      expect(existsSync(worktree)).toBe(true)
      writeFileSync(join(town.root, 'gate-go'), '')
      const bead = await untilLanded(town, 'issue-123')

      expect(subjects(town, clone)).toEqual(['feat: greet', 'first'])
      expect(bead).toMatchObject({ status: 'closed', merged_as: town.git(clone, 'rev-parse', 'main') })
      expect(readFileSync(join(clone, 'greeting.txt'), 'utf8')).toBe('hello\n')
      expect(town.git(clone, 'log', '-1', '--format=%an <%ae>', 'main')).toBe('A Tester <tester@localhost>')
      const [merged] = await eventsOf(town, AGENT, 'bead.merged')
      expect(merged?.data).toMatchObject({ bead: 'issue-123', sha: bead.merged_as })
      const records = recordsWith(join(town.root, '.beads/log'), '"bead.merged"')
      expect(records).toHaveLength(1)
      expect(records[0]).toMatch(/"o":"move","id":"issue-123",[^}]*"status":"closed"/)

      expect(existsSync(worktree)).toBe(false)
      expect(town.git(clone, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main')
      expect(town.git(clone, 'worktree', 'list', '--porcelain').match(/^worktree /gm)).toHaveLength(1)
      expect(town.git(clone, 'status', '--porcelain', '--untracked-files=all')).toBe('')
      expect(filesInHistory(town, clone)).toEqual(['README.md', 'greeting.txt'])
      expect((await town.tmux('list-panes', '-a')).stdout).toBe('')
      await until('the end of everything it ran', () => town.processes().length === 0 || undefined)
    })

    test('what happened is on record: events, cost, the last screen', async () => {
      const { town } = lab
      expect((await agentOf(town, AGENT)).state).toBe('done')
      const events = await eventsOf(town, AGENT)
      const types = events.map((event) => event.type)
      const story = [
        'bead.slung',
        // A server's session is prompted before its start counts as done: its plugin may be quicker.
        ...(backend === 'tmux' ? ['session.spawned'] : []),
        'session.started',
        'session.busy',
        'work.done',
        'session.idle',
        'bead.merged',
        'session.ended',
      ]
      expect(types).toContain('session.spawned')
      expect(types.filter((type) => story.includes(type))).toEqual(story)
      const usage = events.filter((event) => event.type === 'usage')
      // One account of a turn, not one of each of its answers.
      expect(usage.map((event) => event.data.messages)).toEqual([5])

      const { agent } = await town.json<{ agent: AgentView }>('agent', 'show', 'toast')
      const cost = usage.reduce((sum, event) => sum + Number(event.data.cost), 0)
      expect(agent.costUsd).toBeCloseTo(cost, 5)
      expect(agent.costUsd).toBeGreaterThan(0)
      expect(agent.tokens).toBeGreaterThan(1_000)
      expect(await town.ok('convoy', 'show')).toContain('1/1  first delivery · all landed')

      const peeked = await town.gt('peek', 'toast')
      expect(peeked.exitCode).toBe(0)
      expect(peeked.stdout).toContain('It is in the queue.')
      expect(peeked.stderr).toContain('the last screen that was kept')
    })
  })
}

/** Lines of the store's log that hold a text; a line is one record. */
function recordsWith(dir: string, text: string): string[] {
  const lines = readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n'))
  return lines.filter((line) => line.includes(text))
}
