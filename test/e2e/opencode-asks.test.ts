import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ask } from '../../src/domain/ask.js'
import type { Turn } from '../../src/scripted-model/script.js'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  promptOf,
  untilState,
} from './support-opencode.js'
import { Terminal } from './support-terminal.js'
import { expectRefusal } from './support-work.js'

/** A real OpenCode that asks before it runs some commands, and is answered with gt. */
const AGENT = 'proj/toast'
const QUESTION = {
  questions: [
    {
      question: 'Tea or coffee?',
      header: 'Drink',
      options: [
        { label: 'Tea', description: 't' },
        { label: 'Coffee', description: 'c' },
      ],
    },
  ],
}
/** In a server there is no screen to answer on. */
const turnsOf = (backend: string): Turn[] => [
  {
    name: 'work',
    when: promptOf('b-1'),
    steps: [
      { tools: [bash('date +once')] },
      { tools: [bash('date +denied')] },
      { tools: [{ tool: 'question', args: QUESTION }] },
      { tools: [bash('make harm')] },
      { tools: [{ tool: 'task', args: { description: 'd', prompt: 'CHILD', subagent_type: 'general' } }] },
      { tools: [bash('date +dashboard')] },
      ...(backend === 'tmux' ? [{ tools: [bash('date +screen')] }] : []),
      { tools: [bash('date +stopped')] },
      { tools: [bash('date +late')] },
      { say: 'All asked.' },
    ],
  },
  {
    name: 'child',
    when: { userText: /^CHILD/ },
    steps: [{ tools: [bash('date +child')] }, { say: 'Seen.' }],
  },
  { name: 'mail', when: { userText: /^\[gt mail / }, steps: [{ say: 'I read it.' }] },
  {
    name: 'again',
    when: { userText: /\[gt:\w+\] from human/ },
    steps: [{ tools: [bash('date +killed')] }, { say: 'ok' }],
  },
]
const PERMISSION = JSON.stringify({
  '*': 'allow',
  question: 'allow',
  bash: { '*': 'allow', 'date*': 'ask', 'make*': 'ask' },
})

/** Not as the process of the pane itself: tmux wakes that when it is stopped. */
const IN_A_SHELL = `command = ["sh", "-c", 'opencode "$@"; exit $?', "sh"]`

describe.each(['tmux', 'opencode'] as const)('%s', (backend) => {
  let lab: OpencodeTown
  beforeAll(async () => {
    lab = await opencodeTown({
      backend,
      turns: turnsOf(backend),
      toml: `
[roles.polecat]
autonomous = false
[runtimes.opencode]
${backend === 'tmux' ? IN_A_SHELL : ''}
env = { OPENCODE_PERMISSION = '${PERMISSION}' }
[asks]
deadline = "30m"
[[asks.policies]]
tool = "bash"
pattern = "make harm*"
answer = "deny"
`,
    })
    await lab.town.ok('bead', 'create', '--id', 'b-1', 'ask a lot')
    await lab.town.ok('sling', 'b-1', 'proj')
  })
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
  })

  interface Listed {
    asks: (Ask & { isDead: boolean })[]
  }
  /** The one open ask, when it is about this. */
  const asked = async (about: string, ...flags: string[]): Promise<Ask> =>
    await until(`the ask about ${about}`, async () => {
      const { asks } = await lab.town.json<Listed & Record<string, unknown>>('asks', ...flags)
      const found = asks.find((ask) => [...ask.patterns, ...ask.questions].join().includes(about))
      if (found) return found
      throw new Error(`${JSON.stringify(asks)}\n${(await lab.town.gt('peek', AGENT)).stdout}`)
    })
  const closed = async (id: string): Promise<Ask> =>
    await until(`${id} to be closed`, async () => {
      const { asks } = await lab.town.json<Listed & Record<string, unknown>>('asks', '--all')
      const found = asks.find((ask) => ask.id === id)
      if (found?.status === 'closed') return found
      throw new Error(JSON.stringify(found))
    })
  const pidOfAgent = (): number => {
    const [found] = lab.town.processes().filter(({ command }) => /^\S*opencode\S* /.test(command))
    if (!found) throw new Error(JSON.stringify(lab.town.processes()))
    return found.pid
  }
  const setDeadline = (deadline: string): void => {
    const file = join(lab.town.root, 'town.toml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/^deadline = .*$/m, `deadline = "${deadline}"`))
  }
  const resultOf = async (step: number): Promise<string> =>
    await until(`the result of step ${step}`, () => lastRequest(lab.model, 'work').toolResults[step])

  describe('an ask', () => {
    test('makes its agent wait, says what it is about, and is answered with proof', async () => {
      const { town } = lab
      const ask = await asked('date +once')
      expect(ask).toMatchObject({
        agent: AGENT,
        bead: 'b-1',
        kind: 'permission',
        tool: 'bash',
        status: 'open',
      })
      expect(ask).toMatchObject({ patterns: ['date +once'], context: 'date +once', always: ['date *'] })
      expect(Date.parse(ask.deadlineAt ?? '') - Date.parse(ask.createdAt)).toBeGreaterThan(29 * 60_000)
      expect(await untilState(town, AGENT, 'waiting')).toMatchObject({
        detail: 'permission: bash: date +once',
      })
      expect(await town.ok('status')).toMatch(/waits for you .*\n.*\n.*date \+once/)
      expect(await town.ok('asks')).toContain('gt answer')

      const answered = await town.ok('answer', ask.shownId, 'allow')
      expect(answered).toContain(`${AGENT} has its answer: allow`)
      expect(await closed(ask.id)).toMatchObject({ outcome: 'replied', reply: 'once', answeredBy: 'human' })
      expect((await resultOf(0)).trim()).toBe('once')
    })

    test('that is denied with words tells the model, whose turn goes on', async () => {
      const ask = await asked('date +denied')
      await lab.town.ok('answer', ask.id, 'look at the sun instead')
      expect(await resultOf(1)).toContain('look at the sun instead')
    })

    test('may be a question: by number, and not by what answers permissions', async () => {
      const ask = await asked('Tea or coffee?')
      expect((await agentOf(lab.town, AGENT)).detail).toBe('question: Tea or coffee?')
      const wrong = await lab.town.gt('answer', ask.shownId, 'allow')
      expectRefusal(wrong, { exitCode: 2, says: /answers a permission/, hint: /"Tea"\|"Coffee"/ })
      await lab.town.ok('answer', ask.shownId, '2')
      expect(await resultOf(2)).toContain('Coffee')
    })

    test('that a policy covers is answered by it, and recorded as such', async () => {
      expect(await resultOf(3)).toContain('denied by policy 1')
      const { asks } = await lab.town.json<Listed & Record<string, unknown>>('asks', '--all')
      const ask = asks.find((one) => one.patterns.includes('make harm'))
      expect(await closed(ask?.id ?? '')).toMatchObject({ answeredBy: 'policy 1', reply: 'reject' })
    })

    test('of a subagent counts as its caller’s', async () => {
      const ask = await asked('date +child')
      expect(ask).toMatchObject({ agent: AGENT, isSubagent: true })
      expect((await untilState(lab.town, AGENT, 'waiting')).detail).toContain('(of a subagent)')
      await lab.town.ok('answer', ask.shownId, 'deny')
      expect((await closed(ask.id)).reply).toBe('reject')
    })

    test('is on top of the dashboard, where one key answers it', async () => {
      const ask = await asked('date +dashboard')
      await using terminal = new Terminal(lab.town)
      await terminal.start('gt agents')
      await terminal.shows(/▌◐ proj\/toast +bash: date \+dashboard +a allow {2}A always {2}d deny {2}t text/)
      await terminal.type('a')
      await terminal.shows(/proj\/toast has its answer: allow/)
      expect(await closed(ask.id)).toMatchObject({ reply: 'once', answeredBy: 'human' })
      await terminal.type('q')
      await terminal.shows(/exit code 0/)
    })

    test.runIf(backend === 'tmux')('that somebody answers on the screen is closed, too', async () => {
      const { town } = lab
      const ask = await asked('date +screen')
      await until(
        'the dialog',
        async () => (await town.ok('peek', AGENT)).includes('Allow once') || undefined,
      )
      const pane = (await town.tmux('list-panes', '-a', '-F', '#{session_name}')).stdout
      await town.tmux(
        'send-keys',
        '-t',
        pane.split('\n').find((name) => name.includes('toast')) ?? '',
        'Enter',
      )
      expect(await closed(ask.id)).toMatchObject({ outcome: 'replied', reply: 'once', answeredBy: 'screen' })
      expectRefusal(await town.gt('answer', ask.shownId, 'deny'), {
        exitCode: 5,
        says: /answered by somebody in the session itself: once/,
      })
    })

    test('whose session does not confirm keeps its answer, and says so with exit code 7', async () => {
      const { town } = lab
      const ask = await asked('date +stopped')
      const pid = pidOfAgent()
      process.kill(pid, 'SIGSTOP')
      const ran = await town.gt('answer', ask.shownId, 'allow', '--timeout', '1s')
      expectRefusal(ran, { exitCode: 7, says: /is recorded, but proj\/toast did not confirm it within 1 s/ })
      expectRefusal(await town.gt('answer', ask.shownId, 'deny'), {
        exitCode: 5,
        says: /answered already, by human: allow/,
      })
      setDeadline('1s')
      process.kill(pid, 'SIGCONT')
      expect(await closed(ask.id)).toMatchObject({ reply: 'once', answeredBy: 'human' })
    })

    test('that nobody answers in time is denied, and the agent is told by mail', async () => {
      const { town } = lab
      // It may be over before it is looked at.
      const ask = await asked('date +late', '--all')
      expect(await resultOf(backend === 'tmux' ? 8 : 7)).toContain('nobody answered in time')
      setDeadline('30m')
      expect(await closed(ask.id)).toMatchObject({ answeredBy: 'deadline', reply: 'reject' })
      const { mails } = await town.json<{ mails: { subject: string }[] }>(
        'mail',
        'inbox',
        '--as',
        AGENT,
        '--all',
      )
      expect(mails.map((mail) => mail.subject)).toContain('nobody answered in time, denied: bash: date +late')
    })

    test('of a session that was killed cannot be answered', async () => {
      const { town } = lab
      await untilState(town, AGENT, 'idle')
      await until(
        'the nudge to be taken',
        async () => (await town.gt('nudge', AGENT, 'ask again')).exitCode === 0,
      )
      const ask = await asked('date +killed')
      process.kill(pidOfAgent(), 'SIGKILL')
      await untilState(town, AGENT, 'failed')
      expectRefusal(await town.gt('answer', ask.shownId, 'allow'), { exitCode: 5, says: /is gone/ })
      expect(await town.ok('asks')).toContain('dead')
      await town.ok('agent', 'stop', AGENT)
      expect(await town.ok('asks')).toContain('nothing waits for you')
      expectRefusal(await town.gt('answer', 'q-nope', 'allow'), { exitCode: 4, says: /no ask "q-nope"/ })
    })
  })
})
