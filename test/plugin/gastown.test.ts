import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GasTown } from '../../plugin/gastown.js'
import { type FakeGt, makeFakeGt } from './fake-gt.js'

/**
 * What can go wrong between the plugin and its surroundings, without opencode: the plugin is plain JavaScript that runs
 * in Node too. That opencode calls it the way this test does is shown by plugin.opencode.test.ts.
 */
const SESSION = 'ses_1'
type Hook = (input: unknown, output: unknown) => Promise<void>
interface Hooks {
  event(input: { event: { type: string; properties: Record<string, unknown> } }): Promise<void>
  dispose(): Promise<void>
  'chat.message': Hook
  'tool.execute.before': Hook
}

let root: string
let gt: FakeGt
const disposals: (() => Promise<void>)[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gtp-'))
  gt = await makeFakeGt(join(root, 'gt'))
  vi.stubEnv('GT_TOWN', root)
  vi.stubEnv('GT_AGENT', 'proj/toast')
  vi.stubEnv('GT_TARGET_BRANCH', 'main')
  vi.stubEnv('GT_BIN', gt.bin)
  vi.stubEnv('GT_RUN_DIR', gt.runDir)
  vi.stubEnv('GT_BELL_DIR', gt.bellDir)
  vi.stubEnv('GT_SESSION_ID', undefined)
  vi.stubEnv('GT_CONVERSATION', undefined)
})
afterEach(async () => {
  for (const dispose of disposals.splice(0)) await dispose()
  vi.unstubAllEnvs()
  await rm(root, { recursive: true, force: true })
})

/** A session that stores what it is prompted with, unless told otherwise. */
function fakeClient(options: { refuse?: number; swallow?: number } = {}) {
  const prompts: string[] = []
  const stored: string[] = []
  const lookedUp: string[] = []
  let hooks: Hooks | undefined
  const client = {
    session: {
      get: async () => ({ data: {} }),
      status: async () => ({ data: {} }),
      messages: async () => {
        lookedUp.push(...stored)
        return { data: stored.map((text) => ({ info: { role: 'user' }, parts: [{ type: 'text', text }] })) }
      },
      promptAsync: async (call: { body: { parts: { text: string }[] } }) => {
        const text = call.body.parts[0]?.text ?? ''
        prompts.push(text)
        if (prompts.length <= (options.refuse ?? 0)) return { error: { name: 'Busy' } }
        if (prompts.length <= (options.swallow ?? 0)) return {}
        stored.push(text)
        if (hooks !== undefined) await userMessage(hooks, `msg_${prompts.length}`, text)
        return {}
      },
    },
  }
  const attach = (to: Hooks): void => {
    hooks = to
  }
  return { client, prompts, stored, lookedUp, attach }
}

async function load(client: unknown, directory = root): Promise<Hooks> {
  const hooks = (await GasTown({ client, directory } as Parameters<typeof GasTown>[0])) as unknown as Hooks
  if (hooks.dispose !== undefined) disposals.push(() => hooks.dispose())
  return hooks
}

async function userMessage(hooks: Hooks, id: string, text: string): Promise<void> {
  const parts = [{ type: 'text', text }]
  await hooks['chat.message']({ sessionID: SESSION }, { message: { id, agent: 'build' }, parts })
  await send(hooks, 'message.updated', { info: { id, role: 'user' } })
}

async function send(hooks: Hooks, type: string, properties: Record<string, unknown>): Promise<void> {
  await hooks.event({ event: { type, properties: { sessionID: SESSION, ...properties } } })
}

const types = async () => (await gt.reports()).map((report) => report.type)

describe('who it works for', () => {
  test('nobody outside of a town, and not an opencode started by an agent’s tool', async () => {
    vi.stubEnv('GT_SESSION_ID', SESSION)
    expect(await load(fakeClient().client)).toEqual({})
    vi.stubEnv('GT_SESSION_ID', undefined)
    vi.stubEnv('GT_AGENT', undefined)
    expect(await load(fakeClient().client)).toEqual({})
  })

  test('once per directory, and again after it was disposed', async () => {
    const first = await load(fakeClient().client)
    expect(await load(fakeClient().client)).toEqual({})
    await first.dispose()
    expect(await load(fakeClient().client)).not.toEqual({})
  })
})

describe('mail', () => {
  test('is offered again when opencode refuses it', async () => {
    const { client, prompts, attach } = fakeClient({ refuse: 1 })
    const hooks = await load(client)
    attach(hooks)
    await gt.putMail('[gt:a1] hello')
    await send(hooks, 'session.idle', {})
    await vi.waitFor(() => expect(prompts).toHaveLength(2), 5_000)
    await vi.waitFor(async () => expect(await types()).toContain('message.seen'), 5_000)
    expect(await types()).not.toContain('plugin.error')
  })

  test('that was stored without a sign of it is not offered twice', async () => {
    const { client, prompts, lookedUp } = fakeClient()
    const hooks = await load(client)
    await gt.putMail('quiet')
    await send(hooks, 'session.idle', {})
    await vi.waitFor(() => expect(lookedUp).toContain('quiet'), 10_000)
    await hooks.dispose()
    expect(prompts).toEqual(['quiet'])
    expect(await types()).not.toContain('plugin.error')
  }, 15_000)

  test('that never arrived is given back when opencode closes', async () => {
    const { client, prompts } = fakeClient({ swallow: 9 })
    const hooks = await load(client)
    await gt.putMail('[gt mail m-2 from human] do not lose me', { id: 'm-2' })
    await send(hooks, 'session.idle', {})
    await vi.waitFor(() => expect(prompts).toHaveLength(1), 5_000)
    await hooks.dispose()
    const reports = await gt.reports()
    expect(reports.find((each) => each.type === 'plugin.error')).toMatchObject({ where: 'mail' })
    expect(reports.at(-1)).toMatchObject({ type: 'mail.returned', session: SESSION, mails: ['m-2'] })
  })

  test('that was handed out before is not shown twice to a conversation that has it', async () => {
    const { client, prompts, stored } = fakeClient()
    stored.push('[gt mail m-3 from human] once is enough')
    const hooks = await load(client)
    await gt.putMail('[gt mail m-3 from human] once is enough', { id: 'm-3', again: true })
    await send(hooks, 'session.idle', {})
    await vi.waitFor(async () => expect(await types()).toContain('mail.seen'), 5_000)
    expect((await gt.reports()).at(-1)).toMatchObject({ mails: ['m-3'] })
    expect(prompts).toEqual([])
  })

  test('waits for a resumed conversation at once', async () => {
    vi.stubEnv('GT_CONVERSATION', SESSION)
    await gt.putMail('go on')
    const { client, prompts, stored, attach } = fakeClient()
    stored.push('Begin')
    attach(await load(client))
    await vi.waitFor(() => expect(prompts).toEqual(['go on']), 5_000)
    await vi.waitFor(async () => expect(await types()).toContain('message.seen'), 5_000)
    const started = (await gt.reports()).find((report) => report.type === 'session.started')
    expect(started).toMatchObject({ session: SESSION, resumed: true })
  })

  test('rings when the bell cannot be watched', async () => {
    vi.stubEnv('GT_BELL_DIR', join(root, 'a-file', 'bells'))
    await writeFile(join(root, 'a-file'), '')
    const { client, prompts, attach } = fakeClient()
    const hooks = await load(client)
    attach(hooks)
    await send(hooks, 'session.idle', {})
    await vi.waitFor(async () => expect(await types()).toContain('session.idle'), 5_000)
    await rm(join(root, 'a-file'))
    await mkdir(join(root, 'a-file', 'bells'), { recursive: true })
    await gt.putMail('late')
    await writeFile(join(root, 'a-file', 'bells', 'proj_toast'), '')
    await vi.waitFor(() => expect(prompts).toEqual(['late']), 5_000)
  }, 15_000)
})

describe('reports', () => {
  test('say idle and busy once, however often opencode does', async () => {
    const hooks = await load(fakeClient().client)
    for (const type of ['busy', 'busy', 'idle', 'busy', 'idle']) {
      await send(hooks, 'session.status', { status: { type } })
      if (type === 'idle') await send(hooks, 'session.idle', {})
    }
    await hooks.dispose()
    expect(await types()).toEqual([
      'plugin.loaded',
      'session.started',
      'session.busy',
      'session.idle',
      'session.busy',
      'session.idle',
    ])
  })

  test('keep their order while gt fails, and arrive when it works again', async () => {
    await gt.fail('report', true)
    const hooks = await load(fakeClient().client)
    await send(hooks, 'session.status', { status: { type: 'busy' } })
    await vi.waitFor(async () => expect(await gt.calls()).toContain('report --json -'), 5_000)
    await gt.fail('report', false)
    await send(hooks, 'session.error', { error: { name: 'APIError', data: { message: 'no' } } })
    await hooks.dispose()
    expect(await types()).toEqual(['plugin.loaded', 'session.started', 'session.busy', 'session.error'])
  })

  test('end in a file when there is no gt at all', async () => {
    vi.stubEnv('GT_BIN', join(root, 'nowhere'))
    const hooks = await load(fakeClient().client)
    await hooks.dispose()
    const text = await readFile(join(gt.runDir, 'plugin-errors', 'proj_toast.jsonl'), 'utf8')
    expect(text.split('\n').map((line) => (line === '' ? '' : JSON.parse(line).type))).toEqual([
      'plugin.error',
      'plugin.loaded',
      '',
    ])
    expect(text).toContain('ENOENT')
  })
})

describe('the shell guard', () => {
  const refused = [
    'git push origin main',
    'git push origin HEAD:main',
    'git push origin +refs/heads/topic:refs/heads/main',
    'git -C /tmp/x push --force origin main',
    'cd x && GIT_TRACE=1 git push origin topic main',
    'true; (git push --all)',
    'bash -lc "git push origin main"',
    'git push origin topic --no-verify',
    'git commit --no-verify -m "x"',
    'git commit -anm x',
    'x=$(git push origin main)',
  ]
  const allowed = [
    'git push origin topic',
    'git push origin main:topic',
    'git push -n origin topic',
    'git commit -m "no --no-verify here, and no git push origin main"',
    'git commit -mn',
    'echo "git push origin main"',
    "cat > notes.md <<'EOF'\ngit push origin main\nEOF\n",
    'git log main',
    'grep -rn push .',
  ]
  const attempt = async (command: string) => {
    const hooks = await load(fakeClient().client)
    return await hooks['tool.execute.before'](
      { tool: 'bash', sessionID: SESSION },
      { args: { command } },
    ).then(
      () => 'allowed',
      (error: Error) => error.message,
    )
  }

  test.each(refused)('refuses %s', async (command) => {
    expect(await attempt(command)).toMatch(/^gt: .*`gt done`/)
  })
  test.each(allowed)('allows %s', async (command) => {
    expect(await attempt(command)).toBe('allowed')
  })
})
