import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AgentView } from '../../src/app/town-view.js'
import type { Step, Turn } from '../../src/scripted-model/script.js'
import { until } from '../support/test-town.js'
import {
  agentOf,
  bash,
  eventsOf,
  type OpencodeTown,
  opencodeTown,
  promptOf,
  untilState,
} from './support-opencode.js'

/** What a person sees when the model of a real OpenCode does not answer as it should. */
const AGENT = 'proj/toast'
const on = (word: string, ...steps: Step[]): Turn => ({
  name: word,
  when: { userText: new RegExp(`from human: ${word}`) },
  steps,
})
const OVERFLOW = "This model's maximum context length is 128000 tokens"
const TURNS: Turn[] = [
  { name: 'begin', when: promptOf('b-1'), steps: [{ say: 'Ready.' }] },
  on('near', {
    kind: 'fail',
    status: 429,
    times: 2,
    body: 'Too Many Requests',
    afterwards: { say: 'Near.' },
  }),
  on('far', { kind: 'fail', status: 429, retryAfterS: 3_600, body: 'Come back later' }),
  on('server', { kind: 'fail', status: 500, times: 2, body: 'out of order', afterwards: { say: 'Served.' } }),
  on('hung', { kind: 'hang', say: 'I am about to' }),
  on('key', { kind: 'fail', status: 401, body: 'bad key' }),
  on('long', { say: 'and so on and', cutOff: true }),
  on('full', { kind: 'fail', status: 400, body: OVERFLOW, code: 'context_length_exceeded' }),
  { name: 'compacted', when: { userText: /previous request exceeded/ }, steps: [{ say: 'Shorter now.' }] },
  on('tool', { tools: [bash('sleep 4')] }, { say: 'Slept.' }),
]

describe.each(['tmux', 'opencode'] as const)('%s', (backend) => {
  let lab: OpencodeTown
  beforeAll(async () => {
    lab = await opencodeTown({
      backend,
      turns: TURNS,
      toml: '[limits]\nstalled_after = "2s"\n',
    })
    await lab.town.ok('bead', 'create', '--id', 'b-1', 'meet trouble')
    await lab.town.ok('sling', 'b-1', 'proj')
    await untilState(lab.town, AGENT, 'idle')
  })
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]()
  })

  /** On a busy machine a screen may take longer than a nudge waits for; then nothing was submitted. */
  const say = async (word: string): Promise<void> => {
    await until(`"${word}" to be taken`, async () => {
      const ran = await lab.town.gt('nudge', AGENT, word)
      if (ran.exitCode === 0) return true
      throw new Error(ran.stderr)
    })
  }
  const seen = async (what: RegExp): Promise<AgentView> =>
    await until(`${AGENT} to show ${what}`, async () => {
      const agent = await agentOf(lab.town, AGENT)
      if (what.test(`${agent.state}: ${agent.detail}`)) return agent
      throw new Error(`${agent.state}: ${agent.detail}`)
    })
  const idle = async () => await seen(/^idle: $/)

  describe('a rate limit', () => {
    test('shows until when, also a short one, and passes', async () => {
      await say('near')
      const agent = await seen(/^limited: until 20.*Too Many Requests/)
      expect(Date.parse(agent.limitedUntil ?? '')).toBeGreaterThan(0)
      await idle()
    })

    test('of an hour is a state that stays, until it is interrupted', async () => {
      await say('far')
      const agent = await seen(/^limited: until 20.*Come back later/)
      expect(Date.parse(agent.limitedUntil ?? '') - Date.now()).toBeGreaterThan(50 * 60_000)
      expect(await lab.town.ok('agents')).toMatch(/limited +proj\/toast/)
      expect(await lab.town.ok('agent', 'show', AGENT)).toMatch(/session\.retry .*Come back later/)
      await lab.town.ok('agent', 'abort', AGENT)
      await idle()
    })
  })

  describe('a server of the model that fails', () => {
    test('is retried in plain sight', async () => {
      await say('server')
      await seen(/^working: retrying \(try 1\): out of order/)
      await idle()
    })
  })

  describe('a model that stops in the middle', () => {
    test('is shown as stalled, and is back after an interruption', async () => {
      await say('hung')
      await seen(/^stalled: nothing has happened since 20.*gt agent abort proj\/toast/)
      await lab.town.ok('agent', 'abort', AGENT)
      await seen(/^idle: interrupted/)
    })

    test('is not confused with a tool that takes its time', async () => {
      const before = (await eventsOf(lab.town, AGENT, 'session.stalled')).length
      await say('tool')
      await idle()
      expect(await eventsOf(lab.town, AGENT, 'session.stalled')).toHaveLength(before)
    })
  })

  describe('a turn that breaks', () => {
    test('makes its agent failed, with the reason and what goes on', async () => {
      await say('key')
      const agent = await seen(
        /^failed: no access to the model \(401\): bad key; it runs: gt nudge proj\/toast/,
      )
      expect(agent.state).toBe('failed')
      expect(await lab.town.ok('agent', 'show', AGENT)).toMatch(/session\.error .*bad key/)
      // It runs: nothing that looks for dead sessions takes it for one.
      expect((await lab.town.gt('check')).exitCode).toBe(0)
    })

    test('is mended by the next prompt', async () => {
      await say('long')
      await seen(/^idle: its answer was cut off/)
    })
  })

  describe('a context that is full', () => {
    test('is compacted, in the events and without being taken for a failure', async () => {
      await say('full')
      await idle()
      const types = (await eventsOf(lab.town, AGENT)).map((event) => event.type)
      const story = types.slice(types.lastIndexOf('message.seen'))
      expect(story.filter((type) => /error|compacted|idle/.test(type)).join(' ')).toMatch(
        /^(session\.error session\.compacted )+session\.idle$/,
      )
    })
  })

  test('a crash is none of these', async () => {
    const [found] = lab.town.processes().filter(({ command }) => /^\S*opencode\S* /.test(command))
    process.kill(found?.pid ?? 0, 'SIGKILL')
    await seen(/^failed: (killed by SIGKILL|exited with|its server .* was killed)/)
  })
})
