import { spawn } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelRequest, Turn } from '../../src/scripted-model/script.js'
import { textOf } from './fake-gt.js'
import { OPENCODE, type OpencodeLab, openOpencodeLab } from './opencode-lab.js'

/** The real opencode takes some seconds to start: one session of the TUI serves most tests, in order. */
const TURNS: Turn[] = [
  {
    name: 'work',
    when: { userText: /^Begin/ },
    steps: [
      { think: 'Who am I?', tools: [bash('echo "$GT_AGENT $GT_ROLE $GT_SESSION_ID"')] },
      { tools: [bash('echo harmless && git push origin HEAD:main')] },
      { tools: [bash('git commit --no-verify -m x')] },
      { tools: [bash('git push origin gt/toast/proj-1')] },
      { tools: [bash('../pusher')] },
      {
        tools: [
          { tool: 'task', args: { description: 'look', prompt: 'CHILD: look', subagent_type: 'general' } },
        ],
      },
      { say: 'The first turn is over.' },
    ],
  },
  {
    name: 'child',
    when: { userText: /^CHILD/ },
    steps: [{ tools: [bash('echo "$GT_SESSION_ID"')] }, { say: 'Seen.' }],
  },
  { name: 'mail', when: { userText: /^\[gt:m\d\]/ }, steps: [{ say: 'I read the mail.' }] },
  {
    name: 'slow',
    when: { userText: /^Take your time/ },
    steps: [
      { tools: [bash('for i in $(seq 400); do [ -e ../go ] && break; sleep 0.05; done')] },
      { say: 'Slow turn over.' },
    ],
  },
  { name: 'plain', when: { userText: /^Plain/ }, steps: [{ say: 'Plainly.' }] },
]

function bash(command: string) {
  return { tool: 'bash', args: { command, description: 'runs a command' } }
}

let lab: OpencodeLab
beforeAll(async () => {
  lab = await openOpencodeLab(TURNS)
  await lab.git('init', '-q', '--bare', '../bare')
  const pusher = '#!/bin/sh\ngit push -q ../bare HEAD && echo pushed\n'
  await writeFile(join(lab.root, 'pusher'), pusher, { mode: 0o755 })
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

const requestsOf = (turn: string): ModelRequest[] =>
  lab.model.requests.filter((request) => request.turn === turn)
const reported = async (type: string) => (await lab.gt.reports()).filter((report) => report.type === type)
const idles = async (count: number) =>
  await lab.until(`${count} idle reports`, async () => (await reported('session.idle')).length >= count)

describe('a first turn', () => {
  test('reaches the model with the prime text, and its tools know who they are', async () => {
    await lab.gt.setPrime('PRIME ONE: you are proj/toast\n')
    await lab.startTui({
      prompt: 'Begin with "quotes", `ticks`, $HOME\nand a second line that ends in @word',
    })
    await idles(1)
    const work = requestsOf('work')
    expect(work[0]?.lastUserText).toBe(
      'Begin with "quotes", `ticks`, $HOME\nand a second line that ends in @word ',
    )
    for (const request of work) expect(request.systemText).toContain('PRIME ONE: you are proj/toast')
    expect(work[1]?.toolResults[0]?.trim()).toBe(`proj/toast polecat ${work[0]?.sessionId}`)
    expect((await lab.gt.calls()).filter((call) => call.startsWith('prime'))).toEqual([
      `prime --hook --session-id ${work[0]?.sessionId}`,
    ])
  })

  test('cannot push to the target branch, nor skip checks', async () => {
    const results = requestsOf('work').at(-1)?.toolResults ?? []
    expect(results[1]).toContain('nobody pushes to main')
    expect(results[1]).toContain('gt done')
    expect(results[2]).toContain('the checks are not skipped here')
    // Any other push is refused by the preset's permission.
    expect(results[3]).toContain('git push*')
    // A program that pushes, as `gt done` does, is none of its business.
    expect(results[4]?.trim()).toBe('pushed')
    expect(await lab.git('ls-remote', '../bare')).toContain('refs/heads/gt/toast/proj-1')
  })

  test('is reported in order, a subagent only with its cost', async () => {
    const session = requestsOf('work')[0]?.sessionId
    const child = requestsOf('child')[0]?.sessionId
    const reports = await lab.gt.reports()
    expect(reports.map((report) => report.type)).toEqual([
      'plugin.loaded',
      'session.started',
      'message.seen',
      'session.busy',
      'usage',
      'session.idle',
    ])
    expect(child).not.toBe(session)
    expect(new Set(reports.slice(1).map((report) => report.session))).toEqual(new Set([session]))
    const messages = reports.find((report) => report.type === 'usage')?.messages as Record<string, unknown>[]
    expect(messages).toHaveLength(9)
    expect(messages.filter((message) => message.in === child)).toHaveLength(2)
    expect(messages[0]).toMatchObject({ model: 'scripted/m1', trigger: 'work', done: expect.any(Number) })
    expect(messages[0]?.tokens).toEqual([expect.any(Number), expect.any(Number), expect.any(Number), 0, 0])
    expect(Number(messages[0]?.cost)).toBeGreaterThan(0)
  })

  test('gives a subagent no prime, and the session of the one who called it', () => {
    const [first, second] = requestsOf('child')
    expect(first?.systemText).not.toContain('PRIME')
    expect(second?.toolResults[0]?.trim()).toBe(requestsOf('work')[0]?.sessionId)
  })
})

describe('mail', () => {
  test('rings an idle session, and comes once', async () => {
    await lab.gt.putMail('[gt:m1] Mail from human: hello\n', { id: 'm-1' })
    await lab.gt.ring('proj/toast')
    await idles(2)
    expect(requestsOf('mail').map((request) => request.lastUserText)).toEqual([
      '[gt:m1] Mail from human: hello',
    ])
    expect((await reported('message.seen')).at(-1)).toMatchObject({ receipt: 'm1', mails: ['m-1'] })
    expect(await lab.screen()).toContain('Mail from human: hello')
  })

  test('for a busy session comes when its turn ends', async () => {
    await lab.type('Take your time ')
    await lab.until('the slow turn', () => requestsOf('slow').length > 0)
    await lab.gt.putMail('[gt:m2] second mail\n')
    await lab.gt.ring('proj/toast')
    await sleep(500) // Time enough for a plugin that does not wait.
    await writeFile(join(lab.root, 'go'), '')
    await idles(4)
    const brought = lab.model.requests.filter((request) => request.lastUserText.includes('[gt:m2]'))
    expect(brought.map((request) => request.turn)).toEqual(['mail'])
    const turns = lab.model.requests.map((request) => request.turn)
    expect(turns.slice(turns.indexOf('slow'))).toEqual(['slow', 'slow', 'mail'])
  })
})

describe('trouble', () => {
  test('compaction gets the context, and the next call a fresh prime', async () => {
    await lab.gt.setPrime('PRIME TWO: after compaction\n')
    await lab.type('/compact')
    const compaction = await lab.until('compaction', () =>
      lab.model.requests.find((each) => each.kind === 'compaction'),
    )
    expect(compaction.lastUserText).toContain('PRIME TWO')
    await idles(5)
    await lab.type('Plain question ')
    await idles(6)
    expect(requestsOf('plain')[0]?.systemText).toContain('PRIME TWO')
    expect(requestsOf('plain')[0]?.systemText).not.toContain('PRIME ONE')
  })

  test('a gt that fails does not stop a turn, and leaves a note', async () => {
    await lab.gt.fail('mail', true)
    await lab.gt.fail('report', true)
    await lab.type('Plain again ')
    await lab.until('an answer', () => requestsOf('plain').length >= 2)
    const notes = join(lab.gt.runDir, 'plugin-errors', 'proj_toast.jsonl')
    const text = await lab.until('a note of the failure', async () => (await textOf(notes)) || undefined)
    expect(JSON.parse(text.split('\n', 1)[0] ?? '')).toMatchObject({
      type: 'plugin.error',
      where: 'report',
      message: 'gt report ended with 1: no luck with report',
    })
    await lab.gt.fail('mail', false)
    await lab.gt.fail('report', false)
  })

  test('nothing is left in the worktree', async () => {
    expect(await lab.git('status', '--porcelain', '--ignored')).toBe('')
    expect(lab.model.unscripted).toEqual([])
    await lab.leaveTui()
  })
})

describe('a resumed conversation', () => {
  test('gets the mail that waited for it, without anything being typed', async () => {
    const session = requestsOf('work')[0]?.sessionId ?? ''
    await lab.gt.putMail('[gt:m9] go on, please\n')
    await lab.startTui({ session, mode: 'resume' }, { GT_CONVERSATION: session })
    const request = await lab.until('the mail', () =>
      requestsOf('mail').find((each) => each.userText.includes('m9')),
    )
    expect(request.sessionId).toBe(session)
    expect(request.messages.some((message) => message.text.startsWith('Plain again'))).toBe(true)
    await lab.until('it on the screen', async () => (await lab.screen()).includes('go on, please'))
    expect((await reported('session.started')).at(-1)).toMatchObject({ session, resumed: true })
    await lab.leaveTui()
  })
})

describe('opencode run', () => {
  test('leaves the mail alone, goes on without prime when gt fails, and reports until its end', async () => {
    await lab.gt.putMail('[gt:m3] stays in the box\n')
    await lab.gt.fail('prime', true)
    const before = (await lab.gt.reports()).length
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(OPENCODE, ['run', '--format', 'json'], {
        cwd: lab.worktree,
        env: { ...lab.env, GT_OPENCODE_MODE: 'run' },
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      child.on('error', reject)
      child.on('close', resolve)
      child.stdin.end('Plain run')
    })
    expect(code).toBe(0)
    expect(requestsOf('plain').at(-1)?.systemText).not.toContain('PRIME')
    expect(await readdir(join(lab.root, 'gt'))).toContain('mail.json')
    const types = (await lab.gt.reports()).slice(before).map((report) => report.type)
    expect(types).toContain('plugin.error')
    expect(types).toContain('usage')
    expect(types.at(-1)).toBe('session.idle')
  })
})
