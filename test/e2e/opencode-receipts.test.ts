import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CostReport } from '../../src/domain/cost.js'
import { until } from '../support/test-town.js'
import {
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

/** kill -9 of a real OpenCode between the steps of a hand-over: nothing is lost, nothing comes twice, nothing costs twice. */
const AGENT = 'proj/toast'
describe.each(['tmux', 'opencode'] as const)('%s', (backend) => {
  let lab: OpencodeTown

  beforeAll(async () => {
    lab = await opencodeTown({
      backend,
      turns: [
        {
          name: 'work',
          when: promptOf('b-1'),
          steps: [{ tools: [bash('echo one')] }, { tools: [bash(waitForFile('never'))] }],
        },
        { name: 'again', when: { userText: /Your last session ended/ }, steps: [{ say: 'I go on.' }] },
        { name: 'mail', when: { userText: /^\[gt mail / }, steps: [{ say: 'I read it.' }] },
      ],
    })
    await lab.town.ok('bead', 'create', '--id', 'b-1', 'be killed')
    await lab.town.ok('sling', 'b-1', 'proj')
  })
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
  })

  const cost = async () =>
    (await lab.town.json<CostReport & Record<string, unknown>>('cost', '--bead', 'b-1')).total
  /** Every answer that the model gave to the end: of the one that was cut off by the kill opencode knows no price. */
  const untilAllCounted = async () =>
    await until('every answer to be counted', async () => {
      const { messages } = await cost()
      if (messages === lab.model.requests.length - 1 && messages > 1) return true
      throw new Error(`${messages} of ${lab.model.requests.length - 1}`)
    })
  const mails = async () =>
    (
      await lab.town.json<{ mails: { subject: string; status: string }[] }>(
        'mail',
        'inbox',
        '--as',
        AGENT,
        '--all',
      )
    ).mails
  const kill = async () => {
    for (const { pid, command } of lab.town.processes())
      if (/^\S*opencode\S* /.test(command)) process.kill(pid, 'SIGKILL')
    for (const pid of toolsWaitingFor(lab.town, 'never')) process.kill(pid, 'SIGKILL')
    await untilState(lab.town, AGENT, 'failed')
  }

  test('what was answered before a crash, and not reported yet, is counted when the conversation goes on', async () => {
    await until('the second answer', () => toolsWaitingFor(lab.town, 'never').length > 0 || undefined)
    expect((await cost()).messages).toBe(0)
    await kill()
    await lab.town.ok('agent', 'resume', AGENT)
    await untilAllCounted()
    await untilState(lab.town, AGENT, 'idle')
    expect((await mails()).every((mail) => mail.status === 'shown')).toBe(true)
  })

  test('mail that a session had been handed when it was killed comes to the next one, once', async () => {
    const { town, model } = lab
    const session = (await eventsOf(town, AGENT, 'session.spawned')).at(-1)?.data.session
    const env = { GT_AGENT: AGENT, GT_TOWN: town.root, GT_SESSION: String(session) }
    await kill()
    await town.ok('mail', 'send', AGENT, 'do not lose me')
    // As its plugin did before it could bring it in.
    await town.gtIn(town.root, { env }, 'mail', 'check', '--inject', '--until-seen', '--json')
    expect((await mails()).at(-1)?.status).toBe('handed')
    await town.ok('agent', 'resume', AGENT)
    await until(
      'the mail to be shown',
      async () => (await mails()).every((mail) => mail.status === 'shown') || undefined,
    )
    await untilState(town, AGENT, 'idle')
    const { sessionId } = lastRequest(model, 'work')
    expect(timesShown(model, sessionId, 'do not lose me')).toBe(1)
    expect((await mails()).map((mail) => mail.subject)).toContain('do not lose me')
    await untilAllCounted()
  })
})
