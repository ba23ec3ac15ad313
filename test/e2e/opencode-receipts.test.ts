import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CostReport } from '../../src/domain/cost.js'
import { until } from '../support/test-town.js'
import {
  bash,
  eventsOf,
  lastRequest,
  type OpencodeTown,
  opencodeTown,
  pidsRunning,
  promptOf,
  timesShown,
  toolsWaitingFor,
  untilState,
  waitForFile,
} from './support-opencode.js'

/** kill -9 of a real OpenCode between the steps of a hand-over: nothing is lost, nothing comes twice, nothing costs twice. */
const AGENT = 'proj/toast'
let lab: OpencodeTown

beforeAll(async () => {
  lab = await opencodeTown({
    turns: [
      {
        name: 'work',
        when: promptOf('b-1'),
        steps: [{ tools: [bash('echo one')] }, { tools: [bash(waitForFile('never'))] }],
      },
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
  for (const pid of pidsRunning(lab.town, 'opencode --auto')) process.kill(pid, 'SIGKILL')
  for (const pid of toolsWaitingFor(lab.town, 'never')) process.kill(pid, 'SIGKILL')
  await untilState(lab.town, AGENT, 'failed')
}

test('what was answered before a crash, and not reported yet, is counted when the conversation goes on', async () => {
  await until('the second answer', () => toolsWaitingFor(lab.town, 'never').length > 0 || undefined)
  expect((await cost()).messages).toBe(0)
  await kill()
  await lab.town.ok('agent', 'resume', AGENT)
  // Of the answer that was cut off opencode knows no price: the first one, and the one to the mail.
  await until('both', async () => (await cost()).messages === 2 || undefined)
  await untilState(lab.town, AGENT, 'idle')
  expect((await mails()).map((mail) => mail.status)).toEqual(['shown'])
})

test('mail that a session had been handed when it was killed comes to the next one, once', async () => {
  const { town, model } = lab
  const session = (await eventsOf(town, AGENT, 'session.spawned')).at(-1)?.data.session
  const env = { GT_AGENT: AGENT, GT_TOWN: town.root, GT_SESSION: String(session) }
  await kill()
  await town.ok('mail', 'send', AGENT, 'do not lose me')
  // As its plugin did before it could bring it in.
  await town.gtIn(town.root, { env }, 'mail', 'check', '--inject', '--until-seen', '--json')
  expect((await mails()).map((mail) => mail.status)).toEqual(['shown', 'handed'])
  const before = (await cost()).messages
  await town.ok('agent', 'resume', AGENT)
  await until(
    'the mail to be shown',
    async () => (await mails()).every((mail) => mail.status === 'shown') || undefined,
  )
  await untilState(town, AGENT, 'idle')
  const { sessionId } = lastRequest(model, 'mail')
  expect(timesShown(model, sessionId, 'do not lose me')).toBe(1)
  expect((await mails()).map((mail) => mail.subject)).toContain('do not lose me')
  // Both mails came together, in one turn.
  await until('its cost', async () => {
    const { messages } = await cost()
    if (messages === before + 1) return true
    throw new Error(`${before} and now ${messages}`)
  })
})
