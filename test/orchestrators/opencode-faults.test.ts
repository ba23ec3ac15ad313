import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { GtError } from '../../src/domain/errors.js'
import type { AgentId } from '../../src/domain/ids.js'
import { freePort } from '../../src/orchestrators/opencode/launch-server.js'
import type { ServerRecord } from '../../src/orchestrators/opencode/server-record.js'
import { judgeVersion } from '../../src/orchestrators/opencode/server-version.js'
import type { Liveness, Orchestrator } from '../../src/ports/orchestrator.js'
import { OPENCODE } from '../plugin/opencode-lab.js'
import { LONG_WORK } from './contract.js'
import { eventually, failure } from './eventually.js'
import { makeOpencodeHarness, type OpencodeHarness } from './opencode-harness.js'
import { processesOf } from './tmux-harness.js'

/** What goes wrong with real servers, done to real servers. */
const one = 'proj/one' as AgentId
const two = 'proj/two' as AgentId
const three = 'proj/three' as AgentId

const WAITS = 'while [ ! -e "$GT_TEST_DIR/go" ]; do sleep 0.05; done; echo THE-TOOL-ENDED'
const TOOL_TURN = {
  name: 'tool',
  when: { userText: /^run the tool$/ },
  steps: [{ tools: [{ tool: 'bash', args: { command: WAITS, description: 'waits' } }] }, { say: 'Ran it.' }],
}

async function stopped(orchestrator: Orchestrator, agent: AgentId): Promise<Liveness> {
  return eventually(`${agent} counts as stopped`, async () => {
    const liveness = await orchestrator.status(agent)
    return liveness.kind === 'stopped' && liveness
  })
}

const toolRuns = (harness: OpencodeHarness) =>
  processesOf(harness.root).filter((line) => line.includes('THE-TOOL-ENDED'))

/** A server that starts a program is seen twice for a moment. */
const oneServer = (harness: OpencodeHarness) =>
  eventually(
    'a single server',
    () => processesOf(harness.root).filter((line) => line.includes(' serve ')).length === 1,
  )

const kill = (server: ServerRecord, signal: NodeJS.Signals = 'SIGKILL') =>
  process.kill(server.pid ?? 0, signal)

describe('a server that is killed', () => {
  it('in a tool call and in a stream: both go on in their conversations, told once what was cut off', async () => {
    await using harness = await makeOpencodeHarness({ turns: [TOOL_TURN] })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'run the tool' } }))
    await orchestrator.spawn(harness.request(two, { launch: { prompt: LONG_WORK } }))
    await eventually('the tool', () => toolRuns(harness).length > 0)
    await eventually('the stream', async () => (await orchestrator.get(two)).activity?.kind === 'busy')
    const before = harness.serverOf(one)
    const conversations = [one, two].map((agent) => harness.recordOf(agent).sessionId)
    expect(harness.serverOf(two).n).toBe(before.n)

    kill(before)
    expect(await stopped(orchestrator, one)).toMatchObject({ why: expect.stringContaining('was killed') })
    await stopped(orchestrator, two)
    expect((await orchestrator.list()).map(({ liveness }) => liveness.kind)).toEqual(['stopped', 'stopped'])
    // opencode leaves its tools behind.
    expect(toolRuns(harness)).not.toEqual([])
    expect(await failure(orchestrator.send(one, 'hello?'))).toMatchObject({ code: 'session-dead' })
    expect((await orchestrator.output(two)).join('\n')).toContain(LONG_WORK)

    for (const agent of [one, two]) {
      const session = harness.recordOf(agent).sessionId ?? ''
      await orchestrator.resume(harness.request(agent, { launch: { session, prompt: 'Go on, please.' } }))
    }
    expect(toolRuns(harness)).toEqual([])
    expect([one, two].map((agent) => harness.recordOf(agent).sessionId)).toEqual(conversations)
    expect(harness.serverOf(one)).toMatchObject({ n: before.n, port: before.port })
    expect(await harness.received(one)).toEqual([
      'run the tool',
      expect.stringMatching(/^Go on, please\. You were cut off while this ran, .*bash \(while \[/),
    ])
    expect(await harness.received(two)).toEqual([
      LONG_WORK,
      'Go on, please. You were cut off in the middle of an answer.',
    ])
    const again = harness.request(one, { launch: { session: conversations[0] ?? '', prompt: 'Again?' } })
    expect(await failure(harness.another().resume(again))).toMatchObject({ code: 'already-running' })
    await eventually('both to answer', async () =>
      (await orchestrator.list()).every(({ activity }) => activity?.kind === 'idle'),
    )
    expect(await harness.received(one)).toHaveLength(2)
  })

  it('leaves nothing when its agents are stopped instead', async () => {
    await using harness = await makeOpencodeHarness({ turns: [TOOL_TURN] })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'run the tool' } }))
    await eventually('the tool', () => toolRuns(harness).length > 0)
    kill(harness.serverOf(one))
    await stopped(orchestrator, one)
    expect(await orchestrator.stop(one)).toMatchObject({ kind: 'alreadyGone' })
    expect(await harness.leftovers()).toEqual([])
  })

  it('comes back on another port when a stranger took its own, and leaves the stranger alone', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    const before = harness.serverOf(one)
    kill(before)
    await stopped(orchestrator, one)
    const asked: string[] = []
    const stranger = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.end('a stranger')
    })
    // A killed process gives its port back a moment after it is gone.
    stranger.on('error', () => undefined)
    await eventually('the port', async () => {
      stranger.listen(before.port, '127.0.0.1')
      await new Promise((resolve) => setTimeout(resolve, 20))
      return stranger.listening
    })
    try {
      await orchestrator.spawn(harness.request(two))
      expect(harness.serverOf(two).port).not.toBe(before.port)
      expect(stranger.listening).toBe(true)
      expect(await (await fetch(`http://127.0.0.1:${before.port}/`)).text()).toBe('a stranger')
      expect(await orchestrator.status(one)).toMatchObject({ kind: 'stopped' })
    } finally {
      stranger.closeAllConnections()
      stranger.close()
    }
  })
})

describe('a server that lives', () => {
  it('and does not take our password makes its agents unknown, and is replaced by the next start', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    const server = harness.serverOf(one)
    harness.servers.write({ ...server, password: 'wrong' })
    expect(await orchestrator.status(one)).toMatchObject({
      kind: 'unknown',
      why: expect.stringContaining('refuses the password'),
    })
    expect((await orchestrator.list()).map(({ liveness }) => liveness.kind)).toEqual(['unknown'])
    expect(await failure(orchestrator.send(one, 'hello'))).toMatchObject({ code: 'unknown-liveness' })
    expect(await failure(orchestrator.stop(one))).toBeInstanceOf(GtError)
    expect(harness.sessions.find(one)).toBeDefined()
    await orchestrator.spawn(harness.request(two))
    await oneServer(harness)
    expect(await orchestrator.status(two)).toMatchObject({ kind: 'running' })
  })

  it('and does not answer is unknown, never stopped; the next start replaces it', async () => {
    const remarks: string[] = []
    await using harness = await makeOpencodeHarness({
      healthTimeoutMs: 700,
      remark: (text) => void remarks.push(text),
    })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    kill(harness.serverOf(one), 'SIGSTOP')
    expect(await orchestrator.status(one)).toMatchObject({ kind: 'unknown' })
    await orchestrator.spawn(harness.request(two))
    expect(remarks).toEqual([expect.stringMatching(/did not answer 3 times and is started again/)])
    expect(await orchestrator.status(one)).toMatchObject({ kind: 'stopped' })
    await oneServer(harness)
  }, 180_000)

  it('is found again when every file about it was lost, with its sessions', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'remember this' } }))
    await orchestrator.spawn(harness.request(two))
    await orchestrator.spawn(harness.request(three))
    await orchestrator.stop(three)
    const { pid, port } = harness.serverOf(one)
    const { sessionId } = harness.recordOf(one)
    rmSync(harness.places.servers, { recursive: true })
    rmSync(harness.places.sessions, { recursive: true })
    const found = await harness.another().list()
    expect(found.map(({ agent, liveness }) => [agent, liveness.kind]).sort()).toEqual([
      [one, 'running'],
      [two, 'running'],
    ])
    expect(harness.serverOf(one)).toMatchObject({ pid, port })
    expect(harness.recordOf(one)).toMatchObject({ sessionId, directory: harness.folder(one) })
    expect(await orchestrator.send(one, 'still there?')).toMatchObject({ kind: 'accepted' })
    expect(await failure(orchestrator.spawn(harness.request(one)))).toMatchObject({ code: 'already-running' })
    await orchestrator.stop(one)
    await orchestrator.stop(two)
    expect(await harness.leftovers()).toEqual([])
  })

  it('and takes too much memory is started again when its agents rest, and they go on', async () => {
    const remarks: string[] = []
    await using harness = await makeOpencodeHarness({ remark: (text) => void remarks.push(text) })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'remember this' } }))
    await eventually('rest', async () => (await orchestrator.get(one)).activity?.kind === 'idle')
    const before = harness.serverOf(one)
    const small = await import('../../src/orchestrators/opencode/opencode-orchestrator.js').then((module) =>
      module.createOpencodeOrchestrator({ ...harness.options, maxMemoryBytes: 1_000_000 }),
    )
    await small.spawn(harness.request(two))
    expect(remarks.join('\n')).toMatch(/takes \d+ MB/)
    const after = harness.serverOf(one)
    expect(after).toMatchObject({ n: before.n, port: before.port, generation: before.generation + 1 })
    expect(after.pid).not.toBe(before.pid)
    expect(await orchestrator.status(one)).toEqual({ kind: 'running', pid: after.pid })
    expect(await harness.received(one)).toEqual(['remember this'])
    expect(await orchestrator.send(one, 'and now?')).toMatchObject({ kind: 'accepted' })
  })

  it('takes no more sessions than it should', async () => {
    await using harness = await makeOpencodeHarness({ sessionsPerServer: 1 })
    const { orchestrator } = harness
    await Promise.all([one, two].map((agent) => orchestrator.spawn(harness.request(agent))))
    expect(harness.serverOf(one).n).not.toBe(harness.serverOf(two).n)
    expect(await orchestrator.list()).toHaveLength(2)
    await orchestrator.stop(one)
    expect(harness.servers.list()).toHaveLength(1)
    expect(await orchestrator.status(two)).toMatchObject({ kind: 'running' })
  })

  it('is not shared with a session that brings other keys', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    const base = harness.request(one)
    await orchestrator.spawn({ ...base, env: { ...base.env, ANTHROPIC_API_KEY: 'first-key', LANG: 'C' } })
    const other = harness.request(two)
    await orchestrator.spawn({ ...other, env: { ...other.env, ANTHROPIC_API_KEY: 'second-key' } })
    expect(harness.serverOf(one).n).not.toBe(harness.serverOf(two).n)
    for (const agent of [one, two]) {
      const { sessionId = '' } = harness.recordOf(agent)
      const card = join(harness.places.cards, `${sessionId}.json`)
      expect(statSync(card).mode & 0o777).toBe(0o600)
      const text = readFileSync(card, 'utf8')
      expect(text).not.toContain('-key')
      expect(text).not.toContain(harness.serverOf(agent).password)
      expect(JSON.parse(text)).toMatchObject({ agent, directory: harness.folder(agent) })
    }
    expect(await harness.environment(one)).toMatchObject({ ANTHROPIC_API_KEY: 'first-key' })
    expect(statSync(join(harness.places.servers, '1.json')).mode & 0o777).toBe(0o600)
  })
})

describe('the catalogue of models', () => {
  it('is cut down to what can be used, and another project gets another server', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    const provider = (id: string) => ({
      id,
      name: id,
      npm: '@ai-sdk/openai-compatible',
      env: [`${id}_KEY`],
      models: {},
    })
    const cache = join(harness.root, 'home', '.cache', 'opencode')
    mkdirSync(cache, { recursive: true })
    const catalogue = Object.fromEntries(
      ['used', 'named', 'unused', 'opencode'].map((id) => [id, provider(id)]),
    )
    writeFileSync(join(cache, 'models.json'), JSON.stringify(catalogue))
    const start = async (agent: AgentId) => {
      const { env: whole, ...request } = harness.request(agent)
      const { OPENCODE_MODELS_PATH: _theirs, ...env } = whole
      await orchestrator.spawn({ ...request, env: { ...env, used_KEY: 'k' } })
      const own = readFileSync(`/proc/${harness.serverOf(agent).pid}/environ`, 'utf8').split('\0')
      const file = own.find((variable) => variable.startsWith('OPENCODE_MODELS_PATH='))?.split('=')[1] ?? ''
      return { file, names: Object.keys(JSON.parse(readFileSync(file, 'utf8'))).sort() }
    }
    const first = await start(one)
    expect(first.names).toEqual(['opencode', 'used'])
    writeFileSync(join(harness.folder(two), 'opencode.json'), JSON.stringify({ provider: { named: {} } }))
    expect((await start(two)).names).toEqual(['named', 'opencode', 'used'])
    expect(harness.serverOf(two).n).not.toBe(harness.serverOf(one).n)
    // Fetched anew: the same providers stay on the same server.
    const later = new Date(Date.now() + 5_000)
    utimesSync(join(cache, 'models.json'), later, later)
    expect(await start(three)).toEqual(first)
    expect(harness.serverOf(three).n).toBe(harness.serverOf(one).n)
  })
})

describe('a start that was interrupted', () => {
  it('counts as stopped, and the next one takes its place', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    await orchestrator.spawn(harness.request(two))
    const dead = { pid: 1, startTime: 'never' }
    const { sessionId, ...reserved } = harness.recordOf(one)
    harness.sessions.write({ ...reserved, starter: dead })
    expect(await orchestrator.status(one)).toMatchObject({
      kind: 'stopped',
      why: 'its start was interrupted',
    })
    harness.sessions.write({
      ...reserved,
      ...(sessionId ? { sessionId } : {}),
      awaiting: 'never-given',
      starter: dead,
    })
    expect(await orchestrator.status(one)).toMatchObject({
      why: 'its start was interrupted before its first prompt',
    })
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'the first prompt' } }))
    expect(await harness.received(one)).toEqual(['the first prompt'])
    expect(await orchestrator.list()).toHaveLength(2)
  })

  it('of a server leaves none behind', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    // Killed before the process was written down: it is found by its mark.
    const { pid: _pid, startTime: _startTime, ...server } = harness.serverOf(one)
    harness.servers.write({ ...server, state: 'starting' })
    await orchestrator.spawn(harness.request(two))
    await oneServer(harness)
  })

  it('says what opencode says when it does not start at all', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    const program = join(harness.root, 'opencode')
    writeFileSync(program, '#!/bin/sh\necho "no room on this machine" >&2\nexit 3\n', { mode: 0o755 })
    const error = await failure(
      orchestrator.spawn(harness.request(one, { runtime: harness.runtime({ command: [program] }) })),
    )
    expect(error).toMatchObject({
      code: 'server-start-failed',
      message: 'opencode serve ended at once (exit code 3): no room on this machine',
    })
    const missing = harness.request(one, { runtime: harness.runtime({ command: ['no-such-opencode'] }) })
    expect(await failure(orchestrator.spawn(missing))).toMatchObject({ code: 'missing-binary' })
    expect(await orchestrator.list()).toEqual([])
    expect(await harness.leftovers()).toEqual([])
  })
})

describe('around a session', () => {
  it('a model that hangs keeps nobody from talking to it, interrupting it and ending it', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: LONG_WORK } }))
    await eventually('the turn', async () => (await orchestrator.get(one)).activity?.kind === 'busy')
    expect(await orchestrator.send(one, 'are you there?')).toMatchObject({ kind: 'accepted', attempts: 1 })
    await orchestrator.abort(one)
    await eventually('the interrupt', async () => (await harness.interrupts(one)) > 0)
    expect(await harness.received(one)).toEqual([LONG_WORK, 'are you there?'])
    await harness.startTurn(one)
    expect((await orchestrator.stop(one)).kind).toBe('stopped')
    expect(await harness.leftovers()).toEqual([])
  })

  it('a model that fails for good is told with its reason, and costs no retry of the prompt', async () => {
    const fails = {
      name: 'fails',
      when: { userText: /^fail$/ },
      steps: [{ kind: 'fail' as const, status: 400 }],
    }
    await using harness = await makeOpencodeHarness({ turns: [fails] })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    expect(await orchestrator.send(one, 'fail')).toMatchObject({ kind: 'accepted', attempts: 1 })
    await eventually('the failure', async () =>
      /! APIError/.test((await orchestrator.output(one)).join('\n')),
    )
    expect(await harness.received(one)).toEqual(['fail'])
  })

  it('a limited model shows when it goes on', async () => {
    const limited = {
      name: 'limited',
      when: { userText: /^limited$/ },
      steps: [{ kind: 'fail' as const, status: 429, retryAfterMs: 600_000 }],
    }
    await using harness = await makeOpencodeHarness({ turns: [limited] })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'limited' } }))
    const activity = await eventually('the limit', async () => {
      const seen = (await orchestrator.get(one)).activity
      return seen?.kind === 'retry' && seen
    })
    expect(Date.parse(activity.at ?? '')).toBeGreaterThan(Date.now())
  })

  it('a worktree that was deleted does not hide it, nor keep it from being ended', async () => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    const request = harness.request(one, { launch: { prompt: 'remember this' } })
    await orchestrator.spawn(request)
    await eventually('rest', async () => (await orchestrator.get(one)).activity?.kind === 'idle')
    const { sessionId = '' } = harness.recordOf(one)
    rmSync(harness.folder(one), { recursive: true })
    expect(await orchestrator.status(one)).toMatchObject({ kind: 'running' })
    expect((await orchestrator.list()).map(({ agent }) => agent)).toEqual([one])
    expect((await orchestrator.output(one)).join('\n')).toContain('remember this')
    expect((await orchestrator.stop(one)).kind).toBe('stopped')
    const gone = { ...request, launch: { session: sessionId } }
    expect(await failure(orchestrator.resume(gone))).toMatchObject({ code: 'no-such-directory' })
    expect(await harness.leftovers()).toEqual([])
  })

  it('a plugin that fails does not make a lost text count as accepted, nor a good one as lost', async () => {
    await using harness = await makeOpencodeHarness()
    const config = await harness.options.prepareConfig()
    writeFileSync(join(config, 'plugins', 'broken.js'), 'this is no program at all (')
    writeFileSync(
      join(config, 'plugins', 'thrower.js'),
      `export const Thrower = async () => ({
        event: async () => { throw new Error('thrown in event') },
        'experimental.chat.system.transform': async () => { throw new Error('thrown in system') },
      })`,
    )
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    expect(await orchestrator.send(one, 'arrives')).toMatchObject({ kind: 'accepted' })
    expect(await failure(orchestrator.send(one, 'nobody hears this'))).toMatchObject({ code: 'not-accepted' })
    expect(await harness.received(one)).toEqual(['arrives'])
    await eventually('the failed turn', async () =>
      /thrown in system/.test((await orchestrator.output(one)).join('\n')),
    )
    expect(await orchestrator.status(one)).toMatchObject({ kind: 'running' })
  })

  it('a full disk is no acceptance', async ({ skip }) => {
    await using harness = await makeOpencodeHarness()
    const { orchestrator } = harness
    const mounted = mountSmall(harness.places.dir, '24m')
    skip(!mounted, 'cannot mount a small file system here (not root)')
    try {
      await orchestrator.spawn(harness.request(one))
      await orchestrator.send(one, 'there is room')
      await eventually('rest', async () => (await orchestrator.get(one)).activity?.kind === 'idle')
      const filler = join(harness.places.dir, 'filler')
      fill(filler)
      const long = 'x'.repeat(1_900)
      const outcomes: unknown[] = []
      for (let i = 0; i < 40 && !outcomes.some((error) => error instanceof GtError); i++)
        outcomes.push(await orchestrator.send(one, `${i} ${long}`).catch((error: unknown) => error))
      expect(outcomes.at(-1)).toBeInstanceOf(GtError)
      rmSync(filler)
      const accepted = outcomes.filter((outcome) => !(outcome instanceof GtError)).length
      // Whatever was called accepted is there.
      expect((await harness.received(one)).length).toBeGreaterThanOrEqual(accepted + 1)
      await eventually('room', async () =>
        orchestrator.send(one, 'room again').then(
          () => true,
          () => false,
        ),
      )
      await orchestrator.shutdown()
    } finally {
      execFileSync('umount', ['-l', harness.places.dir])
    }
  }, 240_000)
})

describe('towns and machines', () => {
  it('two towns at once do not see or end each other', async () => {
    await using here = await makeOpencodeHarness()
    await using there = await makeOpencodeHarness()
    await Promise.all([here, there].map((town) => town.orchestrator.spawn(town.request(one))))
    expect(here.serverOf(one).port).not.toBe(there.serverOf(one).port)
    await there.orchestrator.send(one, 'only there')
    expect(await here.received(one)).toEqual([])
    await here.orchestrator.shutdown()
    expect(await here.leftovers()).toEqual([])
    expect(await there.orchestrator.status(one)).toMatchObject({ kind: 'running' })
    expect(await there.received(one)).toEqual(['only there'])
  })

  it('a server of the user, behind a forwarded port, is used and never ended', async () => {
    await using host = await makeOpencodeHarness()
    const remote = await startServer(host)
    const proxy = await forward(remote.port)
    try {
      const external = { url: `http://127.0.0.1:${proxy.port}`, username: 'opencode' }
      await using harness = await makeOpencodeHarness({ external: { ...external, password: 'theirs' } })
      const { orchestrator } = harness
      const wrong = await makeOpencodeHarness({ external: { ...external, password: 'not it' } })
      expect(await failure(wrong.orchestrator.spawn(wrong.request(one)))).toMatchObject({
        code: 'server-refused',
        hint: expect.stringContaining('GT_OPENCODE_SERVER_PASSWORD'),
      })
      await wrong[Symbol.asyncDispose]()

      // The same paths are there, because it is the same machine.
      const request = harness.request(one, { launch: { prompt: 'from afar' } })
      const session = await orchestrator.spawn(request)
      expect(session).toMatchObject({
        liveness: { kind: 'running' },
        location: `the OpenCode server ${external.url}`,
      })
      await eventually('rest', async () => (await orchestrator.get(one)).activity?.kind === 'idle')
      expect(await harness.received(one)).toEqual(['from afar'])
      // Without the variable: the merge queue has to reach it, too.
      const { createOpencodeOrchestrator } = await import(
        '../../src/orchestrators/opencode/opencode-orchestrator.js'
      )
      const later = createOpencodeOrchestrator({ ...harness.options, external })
      expect(await later.status(one)).toEqual({ kind: 'running' })

      proxy.cut()
      expect(await orchestrator.status(one)).toMatchObject({ kind: 'unknown' })
      expect((await orchestrator.list()).map(({ liveness }) => liveness.kind)).toEqual(['unknown'])
      expect(await failure(orchestrator.send(one, 'hello'))).toMatchObject({ code: 'unknown-liveness' })
      expect(await failure(orchestrator.stop(one))).toBeInstanceOf(GtError)
      await proxy.mend()
      await eventually('the connection', async () => (await orchestrator.status(one)).kind === 'running')
      expect(await orchestrator.send(one, 'and again')).toMatchObject({ kind: 'accepted' })
      expect((await orchestrator.stop(one)).kind).toBe('stopped')
      await orchestrator.shutdown()
      expect(remote.child.exitCode).toBeNull()
      expect(remote.child.signalCode).toBeNull()
    } finally {
      await proxy.close()
      remote.child.kill('SIGTERM')
      await new Promise((resolve) => remote.child.once('exit', resolve))
    }
  })

  it('is refused where its API is another one, and remarked where it is only newer', () => {
    expect(judgeVersion('1.18.33')).toEqual({ kind: 'tested' })
    expect(judgeVersion('1.18.2')).toEqual({ kind: 'tested' })
    expect(judgeVersion('1.18.40')).toMatchObject({ kind: 'untested' })
    expect(judgeVersion('1.21.0')).toMatchObject({ kind: 'untested' })
    expect(judgeVersion('dev')).toMatchObject({ kind: 'untested' })
    expect(judgeVersion('1.4.0')).toMatchObject({ kind: 'refused' })
    expect(judgeVersion('2.0.0')).toMatchObject({ kind: 'refused' })
  })
})

describe('a person in front of a session', () => {
  it('gets a window without the password on a command line, which goes with the person, or with the agent', async () => {
    await using harness = await makeOpencodeHarness({ remark: () => undefined })
    const { orchestrator, root } = harness
    await orchestrator.spawn(harness.request(one, { launch: { prompt: 'LOOK-HERE' } }))
    const { argv } = await orchestrator.attachCommand(one)
    const socket = argv[2] ?? ''
    expect(argv).toEqual(['tmux', '-S', join(root, 's', 'socket'), 'attach', '-t', `=attach+${one}`])
    const tmux = (...args: string[]) => execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8' })
    try {
      await eventually(
        'the session',
        () => tmux('capture-pane', '-p', '-t', `=attach+${one}:`).includes('LOOK-HERE'),
        60_000,
      )
      const { password } = harness.serverOf(one)
      expect(processesOf(root).join('\n')).not.toContain(password)
      // Asked for again, it is the same window.
      expect(await harness.another().attachCommand(one)).toEqual({ argv })
      await orchestrator.stop(one)
      await eventually(
        'the end of the window',
        () => !processesOf(root).some((line) => line.includes(' attach ')),
      )
    } finally {
      try {
        tmux('kill-server')
      } catch {
        // it ended with its last window
      }
    }
  })
})

describe('following a session', () => {
  const story = {
    name: 'story',
    when: { userText: /^tell$/ },
    steps: [
      {
        say: 'first line\nsecond line',
        tools: [{ tool: 'bash', args: { command: 'echo OUT', description: 'o' } }],
      },
      { say: 'third line\nlast line' },
    ],
  }
  const STORY = ['> tell', 'first line', 'second line', '$ echo OUT', '  OUT', 'third line', 'last line']

  it('tells each line once, across a lost connection, to the end of the session', async () => {
    await using host = await makeOpencodeHarness({ turns: [story] })
    const remote = await startServer(host)
    const proxy = await forward(remote.port)
    try {
      const external = { url: `http://127.0.0.1:${proxy.port}`, username: 'opencode', password: 'theirs' }
      await using harness = await makeOpencodeHarness({ external })
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one, { launch: { prompt: 'tell' } }))
      const lines: string[] = []
      const over = new AbortController()
      const following = (async () => {
        const told = await harness.another().follow?.(one, { count: 100, signal: over.signal })
        for await (const line of told ?? []) lines.push(line)
      })()
      await eventually('the story', () => lines.includes('last line'))
      proxy.cut()
      await proxy.mend()
      await orchestrator.send(one, 'tell')
      await eventually('it again', () => lines.filter((line) => line === 'last line').length === 2)
      expect(lines).toEqual([...STORY, ...STORY])
      expect(await orchestrator.output(one)).toEqual(lines)
      await orchestrator.stop(one)
      await following
      expect(lines).toEqual([...STORY, ...STORY])
    } finally {
      await proxy.close()
      remote.child.kill('SIGTERM')
      await new Promise((resolve) => remote.child.once('exit', resolve))
    }
  })

  it('shows lines while they are written, and what is left when the server dies', async () => {
    const hangs = {
      name: 'hangs',
      when: { userText: /^begin$/ },
      steps: [{ kind: 'hang' as const, say: 'one whole line\nhalf a line' }],
    }
    await using harness = await makeOpencodeHarness({ turns: [hangs] })
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(one))
    const lines: string[] = []
    const following = (async () => {
      const told = await orchestrator.follow?.(one, { count: 5, signal: new AbortController().signal })
      for await (const line of told ?? []) lines.push(line)
    })()
    await orchestrator.send(one, 'begin')
    await eventually('the whole line', () => lines.includes('one whole line'))
    expect(lines).toEqual(['> begin', 'one whole line'])
    kill(harness.serverOf(one))
    await following
    expect(lines).toEqual(['> begin', 'one whole line', 'half a line'])
  })
})

async function startServer(harness: OpencodeHarness) {
  const port = await freePort()
  const config = await harness.options.prepareConfig()
  const child = spawn(OPENCODE, ['serve', '--port', String(port)], {
    cwd: harness.root,
    env: {
      ...(harness.options.env as Record<string, string>),
      OPENCODE_CONFIG_DIR: config,
      OPENCODE_SERVER_PASSWORD: 'theirs',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await eventually('the server', () => /listening on/.test(said), 60_000)
  return { port, child }
}

/** A port that leads to another one, as ssh -L makes it. */
async function forward(target: number) {
  const open = new Set<Socket>()
  const port = await freePort()
  let server: Server | undefined
  const mend = async () => {
    server = createTcpServer((from) => {
      const to = connect(target, '127.0.0.1')
      for (const [socket, peer] of [
        [from, to],
        [to, from],
      ] as const) {
        open.add(socket)
        socket.on('error', () => peer.destroy())
        socket.on('close', () => {
          open.delete(socket)
          peer.destroy()
        })
      }
      from.pipe(to).pipe(from)
    })
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve))
  }
  const cut = () => {
    server?.close()
    for (const socket of open) socket.destroy()
  }
  await mend()
  return { port, cut, mend, close: async () => cut() }
}

function mountSmall(dir: string, size: string): boolean {
  try {
    execFileSync('mkdir', ['-p', dir])
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Until nothing fits any more. */
function fill(file: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' })
  } catch {
    if (!existsSync(file)) throw new Error('the disk could not be filled')
  }
}
