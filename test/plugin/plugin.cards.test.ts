import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelRequest, Turn } from '../../src/scripted-model/script.js'
import { type FakeGt, makeFakeGt, textOf } from './fake-gt.js'
import { OPENCODE, type OpencodeLab, openOpencodeLab } from './opencode-lab.js'

/** One real `opencode serve` that carries two agents in two worktrees, a subagent, and a session that is nobody's. */
const bash = (command: string) => ({ tool: 'bash', args: { command, description: 'runs a command' } })
const WHO = bash(
  'echo "<$GT_AGENT><$GT_SESSION><$GT_SESSION_ID><$OPENCODE_SERVER_PASSWORD><$GT_OPENCODE_CARDS>"',
)
const TURNS: Turn[] = [
  { name: 'who', when: { userText: /^who/ }, steps: [{ tools: [WHO] }, { say: 'That is me.' }] },
  {
    name: 'delegate',
    when: { userText: /^delegate/ },
    steps: [
      {
        tools: [{ tool: 'task', args: { description: 'd', prompt: 'who there', subagent_type: 'general' } }],
      },
      { say: 'Done.' },
    ],
  },
  {
    name: 'push',
    when: { userText: /^push/ },
    steps: [
      { tools: [bash('git push --force origin main'), bash('git push origin release')] },
      { tools: [bash('git commit --no-verify -m x')] },
      { say: 'I see.' },
    ],
  },
  { name: 'mail', when: { userText: /^\[gt mail / }, steps: [{ say: 'Read.' }] },
  { name: 'reminder', when: { userText: /^\[gt reminder\]/ }, steps: [{ say: 'I am stuck.' }] },
  { name: 'plain', when: { userText: /^plain/ }, steps: [{ say: 'Plainly.' }] },
]

interface Member {
  agent: string
  session: string
  worktree: string
  gt: FakeGt
  client: OpencodeClient
  card(key: string): Promise<void>
}

let lab: OpencodeLab
let server: ChildProcess
let baseUrl: string
let cards: string
let toast: Member
let nux: Member

beforeAll(async () => {
  lab = await openOpencodeLab(TURNS)
  cards = join(lab.root, 'cards')
  await mkdir(cards)
  const { GT_AGENT: _agent, GT_BIN: _bin, GT_RUN_DIR: _run, ...env } = lab.env
  server = spawn(OPENCODE, ['serve', '--port', '0'], {
    cwd: lab.root,
    env: {
      ...env,
      GT_OPENCODE_CARDS: cards,
      OPENCODE_SERVER_PASSWORD: 'secret',
      OPENCODE_PERMISSION: JSON.stringify({ '*': 'allow', question: 'deny' }),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  server.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  baseUrl = await lab.until('the server', () => /listening on (http:\S+)/.exec(said)?.[1])
  toast = await engage('toast', 'main')
  nux = await engage('nux', 'release')
})

afterAll(async () => {
  await toast?.client.global.dispose()
  if (server !== undefined && server.exitCode === null) {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
  await lab?.[Symbol.asyncDispose]()
})

function clientOf(directory: string): OpencodeClient {
  const headers = { Authorization: `Basic ${Buffer.from('opencode:secret').toString('base64')}` }
  return createOpencodeClient({ baseUrl, directory, headers })
}

async function engage(name: string, target: string): Promise<Member> {
  const worktree = join(lab.root, name)
  await lab.git('worktree', 'add', '-q', '-b', `gt/${name}/b-1`, worktree)
  const gt = await makeFakeGt(join(lab.root, `gt-${name}`))
  await gt.setPrime(`PRIME of ${name}\n`)
  const client = clientOf(worktree)
  const { data } = await client.session.create({ title: name }, { throwOnError: true })
  const card = async (key: string) => {
    const env = {
      GT_TOWN: lab.root,
      GT_AGENT: `proj/${name}`,
      GT_SESSION: key,
      GT_TARGET_BRANCH: target,
      GT_BIN: gt.bin,
      GT_RUN_DIR: gt.runDir,
      GT_BELL_DIR: lab.env.GT_BELL_DIR,
      PATH: lab.env.PATH,
    }
    const text = JSON.stringify({ sessionID: data.id, agent: `proj/${name}`, directory: worktree, env })
    await writeFile(join(cards, `${data.id}.json`), text, { mode: 0o600 })
  }
  await card(`s-${name}`)
  return { agent: `proj/${name}`, session: data.id, worktree, gt, client, card }
}

const say = async (member: Member, text: string, agent?: string) => {
  const parts = [{ type: 'text' as const, text }]
  await member.client.session.promptAsync(
    { sessionID: member.session, parts, ...(agent === undefined ? {} : { agent }) },
    { throwOnError: true },
  )
}
const reportsOf = async (member: Member, type: string) =>
  (await member.gt.reports()).filter((report) => report.type === type)
const idles = async (member: Member, count: number) =>
  await lab.until(
    `${count} idles of ${member.agent}`,
    async () => (await reportsOf(member, 'session.idle')).length >= count,
  )
const requestsOf = (turn: string, session: string): ModelRequest[] =>
  lab.model.requests.filter((request) => request.turn === turn && request.sessionId === session)

describe('two agents in one server', () => {
  test('are each who they are: in prime, in their tools, in their reports', async () => {
    await Promise.all([say(toast, 'who are you?'), say(nux, 'who are you?', 'plan')])
    await Promise.all([idles(toast, 1), idles(nux, 1)])
    for (const [member, other] of [
      [toast, nux],
      [nux, toast],
    ] as const) {
      const requests = requestsOf('who', member.session)
      const name = member.agent.slice(5)
      for (const request of requests) {
        expect(request.systemText).toContain(`PRIME of ${name}`)
        expect(request.systemText).not.toContain(`PRIME of ${other.agent.slice(5)}`)
      }
      expect(requests[1]?.toolResults[0]?.trim()).toBe(`<proj/${name}><s-${name}><${member.session}><><>`)
      const reports = await member.gt.reports()
      expect(reports.map((report) => report.type)).toEqual([
        'plugin.loaded',
        'session.started',
        'message.seen',
        'session.busy',
        'usage',
        'session.idle',
      ])
      expect(new Set(reports.slice(1).map((report) => report.session))).toEqual(new Set([member.session]))
      expect(reports[1]).toMatchObject({ resumed: false })
      expect(
        new Set((await textOf(join(lab.root, `gt-${name}`, 'reporters.log'))).trim().split('\n')),
      ).toEqual(new Set([`proj/${name} s-${name}`]))
    }
  })

  test('have subagents that are theirs, found through their parents', async () => {
    await say(toast, 'delegate it')
    await idles(toast, 2)
    const child = lab.model.requests.find((request) => request.userText === 'who there')
    expect(child?.sessionId).not.toBe(toast.session)
    const answer = requestsOf('who', child?.sessionId ?? '')[1]?.toolResults[0]?.trim()
    expect(answer).toBe(`<proj/toast><s-toast><${toast.session}><><>`)
    const messages = (await reportsOf(toast, 'usage')).at(-1)?.messages as { in: string }[]
    expect(messages.filter((message) => message.in === child?.sessionId)).toHaveLength(2)
    expect(await reportsOf(nux, 'usage')).toHaveLength(1)
  })

  test('are held off their own target branch, by force too, and off skipping checks', async () => {
    await Promise.all([say(toast, 'push it'), say(nux, 'push it')])
    await Promise.all([idles(toast, 3), idles(nux, 2)])
    const [ofToast, ofNux] = [toast, nux].map((each) => requestsOf('push', each.session).at(-1)?.toolResults)
    expect(ofToast?.[0]).toContain('nobody pushes to main')
    expect(ofToast?.[1]).not.toContain('gt:')
    expect(ofNux?.[0]).not.toContain('gt:')
    expect(ofNux?.[1]).toContain('nobody pushes to release')
    for (const results of [ofToast, ofNux]) expect(results?.[2]).toContain('the checks are not skipped here')
  })

  test('get their own mail, once, by the agent that was prompted last', async () => {
    await say(nux, 'plain', 'plan')
    await idles(nux, 3)
    await nux.gt.putMail('[gt mail m-7 from human] for nux', { id: 'm-7' })
    await nux.gt.ring('proj/nux')
    // Its bell hangs where its card says.
    await writeFile(join(lab.env.GT_BELL_DIR ?? '', 'proj_nux'), '1')
    await idles(nux, 4)
    expect(requestsOf('mail', nux.session)).toHaveLength(1)
    expect(requestsOf('mail', toast.session)).toHaveLength(0)
    expect((await reportsOf(nux, 'message.seen')).at(-1)).toMatchObject({ mails: ['m-7'] })
    const { data } = await nux.client.session.messages({ sessionID: nux.session }, { throwOnError: true })
    expect(data.findLast((message) => message.info.role === 'user')?.info.agent).toBe('plan')
  })

  test('are reminded of gt done once when a turn ends, and not because of the reminder', async () => {
    await toast.gt.setReminder('[gt reminder] 2 commits are not handed in')
    const before = (await reportsOf(toast, 'session.idle')).length
    await say(toast, 'plain')
    await idles(toast, before + 2)
    await say(toast, 'plain again')
    await idles(toast, before + 4)
    const checks = (await toast.gt.calls()).filter((call) => call.startsWith('mail check')).slice(-4)
    expect(checks.map((call) => call.includes('--turn-end'))).toEqual([true, false, true, false])
    expect(requestsOf('reminder', toast.session)).toHaveLength(2)
  })
})

describe('a conversation', () => {
  test('that gt takes up again gets its mail, without a prompt', async () => {
    await nux.gt.putMail('[gt mail m-8 from gt] you were started again', { id: 'm-8' })
    await nux.card('s-nux-again')
    await lab.until('the mail', () => requestsOf('mail', nux.session).length === 2)
    await lab.until('its report', async () =>
      (await textOf(join(lab.root, 'gt-nux', 'reporters.log'))).includes('s-nux-again'),
    )
    expect((await reportsOf(nux, 'session.started')).at(-1)).toMatchObject({ resumed: true })
  })

  test('without a card, or with a broken one, is left alone and goes on', async () => {
    const stray = await toast.client.session.create({ title: 'stray' }, { throwOnError: true })
    await writeFile(join(cards, `${stray.data.id}.json`), '{ not json')
    await say({ ...toast, session: stray.data.id }, 'who is this?')
    const request = await lab.until('its turn', () => requestsOf('who', stray.data.id)[1])
    expect(request.systemText).not.toContain('PRIME')
    expect(request.toolResults[0]?.trim()).toBe('<><><><><>')
    expect(await readFile(join(lab.root, 'run', 'plugin-errors', 'server.jsonl'), 'utf8')).toContain('"card"')
    expect((await toast.gt.reports()).some((report) => report.session === stray.data.id)).toBe(false)
  })
})
