import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Turn } from '../../src/scripted-model/script.js'
import type { Report } from './fake-gt.js'
import { OPENCODE, type OpencodeLab, openOpencodeLab } from './opencode-lab.js'

/** The plugin under `opencode serve`: what a person would otherwise answer on the screen, and the model's troubles. */
const ASK = { tool: 'bash', args: { command: 'date', description: 'needs a permission' } }
const QUESTION = {
  questions: [
    {
      question: 'Tea?',
      header: 'Drink',
      options: [
        { label: 'Yes', description: 'y' },
        { label: 'No', description: 'n' },
      ],
    },
  ],
}
const TURNS: Turn[] = [
  { name: 'ask', when: { userText: /^ask/ }, steps: [{ tools: [ASK] }, { say: 'It was allowed.' }] },
  {
    name: 'delegate',
    when: { userText: /^delegate/ },
    steps: [
      {
        tools: [{ tool: 'task', args: { description: 'd', prompt: 'ask there', subagent_type: 'general' } }],
      },
      { say: 'ok' },
    ],
  },
  {
    name: 'question',
    when: { userText: /^question/ },
    steps: [{ tools: [{ tool: 'question', args: QUESTION }] }, { say: 'Tea.' }],
  },
  {
    name: 'limited',
    when: { userText: /^limited/ },
    steps: [{ kind: 'fail', status: 429, retryAfterMs: 50, times: 1, afterwards: { say: 'Through.' } }],
  },
  {
    name: 'broken',
    when: { userText: /^broken/ },
    steps: [{ kind: 'fail', status: 400, body: 'bad model' }],
  },
  {
    name: 'env',
    when: { userText: /^env/ },
    steps: [
      {
        tools: [
          {
            tool: 'bash',
            args: { command: 'echo "[$OPENCODE_SERVER_PASSWORD][$GT_SESSION_ID]"', description: 'e' },
          },
        ],
      },
      { say: 'ok' },
    ],
  },
]

let lab: OpencodeLab
let server: ChildProcess
let client: OpencodeClient
let session: string

beforeAll(async () => {
  lab = await openOpencodeLab(TURNS)
  server = spawn(OPENCODE, ['serve', '--port', '0'], {
    cwd: lab.root,
    env: {
      ...lab.env,
      OPENCODE_SERVER_PASSWORD: 'secret',
      OPENCODE_PERMISSION: JSON.stringify({ question: 'allow', bash: { '*': 'allow', 'date*': 'ask' } }),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  server.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const baseUrl = await lab.until('the server', () => /listening on (http:\S+)/.exec(said)?.[1])
  const headers = { Authorization: `Basic ${Buffer.from('opencode:secret').toString('base64')}` }
  client = createOpencodeClient({ baseUrl, directory: lab.worktree, headers })
  const created = await client.session.create({ title: 'lab' }, { throwOnError: true })
  session = created.data.id
})

afterAll(async () => {
  await client?.global.dispose() // Ends the tools too, which a signal alone does not.
  if (server !== undefined && server.exitCode === null) {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
  await lab?.[Symbol.asyncDispose]()
})

const say = async (text: string) => {
  await client.session.promptAsync(
    { sessionID: session, parts: [{ type: 'text', text }] },
    { throwOnError: true },
  )
}
const report = async (what: string, matches: (report: Report) => boolean) =>
  await lab.until(what, async () => (await lab.gt.reports()).find(matches))
const idle = async (count: number) =>
  await lab.until(`${count} idles`, async () => {
    const reports = await lab.gt.reports()
    return reports.filter((each) => each.type === 'session.idle').length >= count
  })

test('a permission is reported until it is answered', async () => {
  await say('ask')
  const asked = await report('the ask', (each) => each.type === 'permission.asked')
  expect(asked).toMatchObject({ session, permission: 'bash', patterns: ['date'] })
  await client.permission.reply({ requestID: String(asked.id), reply: 'once' })
  const replied = await report('the reply', (each) => each.type === 'permission.replied')
  expect(replied).toMatchObject({ session, id: asked.id, reply: 'once' })
  await idle(1)
})

test('so is one of a subagent, under the session that gt knows', async () => {
  await say('delegate')
  const asked = await report('the ask', (each) => each.type === 'permission.asked' && each.child === true)
  expect(asked.session).toBe(session)
  expect(asked.childSession).not.toBe(session)
  await client.permission.reply({ requestID: String(asked.id), reply: 'once' })
  await idle(2)
})

test('a question is reported', async () => {
  await say('question')
  const asked = await report('the question', (each) => each.type === 'question.asked')
  expect(asked).toMatchObject({ session, questions: ['Tea?'] })
  await client.question.reply({ requestID: String(asked.id), answers: [['Yes']] })
  await idle(3)
})

test('answers that gt has are given, and proven by what opencode says then', async () => {
  const before = (await lab.gt.reports()).filter((each) => each.type === 'session.idle').length
  await say('delegate again')
  const asked = await lab.until('the ask', async () =>
    (await lab.gt.reports()).filter((each) => each.type === 'permission.asked' && each.child === true).at(1),
  )
  const answer = { reply: 'reject', message: 'not today' }
  const given = { request: asked.id, kind: 'permission', session: asked.childSession, answer }
  const forgotten = { request: 'per_forgotten', kind: 'permission', session, answer }
  await lab.gt.setAnswer({ recorded: 0, asks: [given, forgotten] })
  await lab.gt.ring('proj/toast')
  const replied = await report(
    'the reply',
    (each) => each.type === 'permission.replied' && each.id === asked.id,
  )
  expect(replied).toMatchObject({ session, child: true, reply: 'reject' })
  await report('that nobody waits', (each) => each.type === 'ask.gone' && each.id === 'per_forgotten')
  await idle(before + 1)
  await lab.gt.setAnswer({ recorded: 0, asks: [] })
  const child = lab.model.requests.findLast((request) => request.sessionId === asked.childSession)
  expect(child?.toolResults[0]).toContain('not today')
})

test('limits and errors of the model are reported', async () => {
  await say('limited')
  await idle(5)
  expect(await report('the retry', (each) => each.type === 'session.retry')).toMatchObject({
    session,
    message: expect.any(String),
    next: expect.any(Number),
  })
  await say('broken')
  expect(await report('the error', (each) => each.type === 'session.error')).toMatchObject({
    session,
    name: 'APIError',
  })
  await idle(6)
})

test('tools do not see the password, also after the directory was loaded anew', async () => {
  await client.instance.dispose()
  await say('env')
  await idle(7)
  const result = lab.model.requests.filter((request) => request.turn === 'env').at(-1)?.toolResults[0]
  expect(result?.trim()).toBe(`[][${session}]`)
  const reports = await lab.gt.reports()
  expect(reports.filter((each) => each.type === 'plugin.loaded')).toHaveLength(2)
  const seen = reports.filter((each) => each.type === 'message.seen' && String(each.text) === 'env')
  expect(seen).toHaveLength(1)
  expect(reports.filter((each) => each.type === 'plugin.error')).toEqual([])
})
