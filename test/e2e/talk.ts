import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  eventsOf,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  promptOf,
  timesShown,
  toolsWaitingFor,
  untilState,
  waitForFile,
} from './support-opencode.js'

const [ASKER, ANSWERER] = ['proj/toast', 'proj/nux']

interface Listed {
  mails: { from: string; subject: string; body: string; status: string; thread: string }[]
}

interface Nudged {
  agent: string
  receipt: { kind: string; attempts: number; evidence: string }
}

/** Two agents that stay: they mail each other, and a person nudges them. */
export function talk(backend: 'tmux' | 'opencode'): void {
  let lab: OpencodeTown

  beforeAll(async () => {
    lab = await opencodeTown({
      backend,
      turns: [
        {
          name: 'asker',
          when: promptOf('ask-1'),
          steps: [
            {
              tools: [
                bash(
                  waitForFile('answerer-is-idle'),
                  'gt mail send proj/nux "which currency?" -m "Is the total in QUESTION-cents?"',
                ),
              ],
            },
            { say: 'I wait for the answer.' },
          ],
        },
        { name: 'answerer', when: promptOf('answer-1'), steps: [{ say: 'I am here for questions.' }] },
        {
          name: 'question',
          when: { userText: /^\[gt mail (\S+) from proj\/toast\] which currency\?/ },
          steps: ({ step, userText }) =>
            step === 0
              ? {
                  tools: [
                    bash(
                      `gt mail reply ${/gt mail (\S+) from/.exec(userText)?.[1]} -m "Yes, in ANSWER-cents."`,
                    ),
                  ],
                }
              : { say: 'I have answered.' },
        },
        {
          name: 'answer',
          when: { userText: /^\[gt mail \S+ from proj\/nux\] Re: which currency\?/ },
          steps: [{ say: 'Cents it is.' }],
        },
        { name: 'small talk', when: { userText: /NUDGE-IDLE/ }, steps: [{ say: 'I heard you while idle.' }] },
        {
          name: 'long tool',
          when: { userText: /NUDGE-START/ },
          steps: [
            { tools: [bash(waitForFile('go-on'), 'echo the tool ended by itself')] },
            { say: 'The long turn is over.' },
          ],
        },
      ],
    })
    const { town } = lab
    for (const bead of ['ask-1', 'answer-1']) await town.ok('bead', 'create', '--id', bead, bead)
    await town.ok('sling', 'ask-1', 'proj', '--name', 'toast')
    // One after the other: two first starts of opencode on an empty data folder sometimes end with one that hangs (1.18.33).
    await untilState(town, ASKER, 'working')
    await town.ok('sling', 'answer-1', 'proj', '--name', 'nux')
  })
  afterAll(async () => {
    await lab[Symbol.asyncDispose]()
  })

  describe('mail between two agents', () => {
    test('wakes the idle one, and its answer the other; each is shown exactly once', async () => {
      const { town, model } = lab
      await untilState(town, ANSWERER, 'idle')
      await until('the answerer to have spoken', () => model.requests.find((one) => one.turn === 'answerer'))
      writeFileSync(join(town.root, 'answerer-is-idle'), '')
      await until('the answer', () => model.requests.find((one) => one.turn === 'answer'))
      await untilState(town, ASKER, 'idle')
      await untilState(town, ANSWERER, 'idle')

      const asker = lastRequest(model, 'asker').sessionId
      const answerer = lastRequest(model, 'answerer').sessionId
      expect(lastRequest(model, 'question').sessionId).toBe(answerer)
      expect(lastRequest(model, 'answer').sessionId).toBe(asker)
      expect(timesShown(model, answerer, 'QUESTION-cents')).toBe(1)
      expect(timesShown(model, asker, 'ANSWER-cents')).toBe(1)
      const turns = model.requests.map((one) => `${one.turn} ${one.step}`)
      expect(turns.toSorted()).toEqual([
        'answer 0',
        'answerer 0',
        'asker 0',
        'asker 1',
        'question 0',
        'question 1',
      ])
    })

    test('stays on record as one conversation', async () => {
      const { town } = lab
      const { mails: asked } = await town.json<Listed & Record<string, unknown>>(
        'mail',
        'inbox',
        '--as',
        'nux',
        '--all',
      )
      const { mails: answered } = await town.json<Listed & Record<string, unknown>>(
        'mail',
        'inbox',
        '--as',
        'toast',
        '--all',
      )
      expect(asked).toMatchObject([{ from: ASKER, subject: 'which currency?', status: 'shown' }])
      expect(answered).toMatchObject([{ from: ANSWERER, subject: 'Re: which currency?', status: 'shown' }])
      expect(answered[0]?.thread).toBe(asked[0]?.thread)
      expect((await agentOf(town, ASKER)).unreadMail + (await agentOf(town, ANSWERER)).unreadMail).toBe(0)
    })

    test('to nobody is refused', async () => {
      const ran = await lab.town.gt('mail', 'send', 'proj/nax', 'hello')
      expect(ran).toMatchObject({ exitCode: 4, stdout: '' })
      expect(ran.stderr).toContain('did you mean proj/nux?')
    })
  })

  describe('a nudge', () => {
    test('to an idle agent is accepted, and starts a turn', async () => {
      const { town, model } = lab
      const nudged = await town.json<Nudged & Record<string, unknown>>(
        'nudge',
        'nux',
        'NUDGE-IDLE "quoted" `ticks` $HOME and @word',
      )
      expect(nudged).toMatchObject({ agent: ANSWERER, receipt: { kind: 'accepted' } })
      const request = await until('the turn', () => model.requests.find((one) => one.turn === 'small talk'))
      expect(request.sessionId).toBe(lastRequest(model, 'answerer').sessionId)
      expect(request.userText).toMatch(
        /^(\[gt\] )?\[gt:\w{8}\] from human: NUDGE-IDLE "quoted" `ticks` \$HOME and @word\s*$/,
      )
      await untilState(town, ANSWERER, 'idle')
      expect(timesShown(model, request.sessionId, 'NUDGE-IDLE')).toBe(1)
    })

    test('into a running tool call is accepted, reaches the model once, and the work goes on', async () => {
      const { town, model } = lab
      await town.ok('nudge', 'nux', 'NUDGE-START')
      await until('the tool', () => toolsWaitingFor(town, 'go-on').length > 0 || undefined)
      expect((await agentOf(town, ANSWERER)).state).toBe('working')
      const said = await town.ok('nudge', 'nux', 'NUDGE-BUSY please hurry')
      expect(said).toMatch(
        /^accepted by proj\/nux: the (program reported the text|session holds it as a message)/,
      )
      expect(toolsWaitingFor(town, 'go-on')).not.toEqual([])
      writeFileSync(join(town.root, 'go-on'), '')
      await until('the end of the turn', () =>
        model.requests.find((one) => one.turn === 'long tool' && one.step > 0),
      )
      await untilState(town, ANSWERER, 'idle')
      const { sessionId } = lastRequest(model, 'answerer')
      expect(lastRequest(model, 'long tool').toolResults[0]).toContain('the tool ended by itself')
      expect(timesShown(model, sessionId, 'NUDGE-BUSY')).toBe(1)
      expect(timesShown(model, sessionId, 'NUDGE-START')).toBe(1)
      const accepted = await eventsOf(town, ANSWERER, 'nudge.accepted')
      expect(accepted).toHaveLength(3)
    })

    test('to an agent that ended fails, and says what to do', async () => {
      const { town } = lab
      await town.ok('agent', 'stop', 'nux')
      const ran = await town.gt('nudge', 'nux', 'anybody there?')
      expect(ran.exitCode).toBeGreaterThan(0)
      expect(ran.stdout).toBe('')
      expect(ran.stderr).toMatch(/proj\/nux (has no session|cannot be sent anything)/)
      expect(ran.stderr).toContain('gt agent resume proj/nux')
      expect(await agentOf(town, ASKER)).toMatchObject({ state: 'idle' })
    })
  })
}
