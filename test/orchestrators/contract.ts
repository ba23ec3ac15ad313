import { describe, expect, it } from 'vitest'
import { ConflictError, GtError, NotFoundError, OperationError, UsageError } from '../../src/domain/errors.js'
import type { AgentId } from '../../src/domain/ids.js'
import type { Runtime } from '../../src/domain/runtime.js'
import type {
  Capability,
  Liveness,
  Orchestrator,
  OrchestratorEvent,
  Receipt,
  SendOptions,
  SpawnRequest,
} from '../../src/ports/orchestrator.js'
import { eventually, failure } from './eventually.js'

/**
 * A backend with programs under test. The program of `runtime()` keeps every text that it was given, shows it, and ends
 * with code N when it is given the text `exit N`.
 */
export interface OrchestratorHarness extends AsyncDisposable {
  orchestrator: Orchestrator
  /** A second handle on the same backend, as another process would have. */
  another(): Orchestrator
  runtime(changes?: Partial<Runtime>): Runtime
  request(agent: AgentId, changes?: Partial<SpawnRequest>): SpawnRequest
  /** Texts that the program of this agent was given, in order. */
  received(agent: AgentId): Promise<string[]>
  /** Gives the program something to do that does not end by itself. Only a program that is told to, ends it. */
  startTurn(agent: AgentId): Promise<void>
  /** Interrupts that it saw. */
  interrupts(agent: AgentId): Promise<number>
  /** The environment that it runs in, without what the backend itself adds. */
  environment(agent: AgentId): Promise<Record<string, string>>
  /** A conversation that `resume` and `fork` can go on with; no agent of the test has it. */
  conversation(): Promise<string>
  /** The conversation whose history the program of this agent has, as the program knows it. */
  continues(agent: AgentId, mode: 'resume' | 'fork'): Promise<string>
  /** What the backend can prove by itself of a text that was sent. */
  proves: Receipt['kind']
  /** Makes the program deaf for the next text that it is sent, which is to be sent with these options. */
  deafen(agent: AgentId): Promise<SendOptions>
  /** kill -9 of the program. @returns what the backend can know of its end, beside that it ended */
  kill(agent: AgentId): Promise<Partial<Liveness>>
  /** Makes the program end by itself, badly. @returns what the backend can know of its end, beside that it ended */
  crash(agent: AgentId): Promise<Partial<Liveness>>
  /** Processes, sockets and sessions that still exist; for people. */
  leftovers(): Promise<string[]>
}

const one = 'proj/one' as AgentId
const two = 'proj/two' as AgentId
const stranger = 'proj/stranger' as AgentId
/** A text that a program under test works on until it is interrupted, and shows. */
export const LONG_WORK = 'looks like: esc to interrupt'
const ALL: readonly Capability[] = [
  'spawn',
  'stop',
  'abort',
  'resume',
  'fork',
  'assign',
  'send',
  'broadcast',
  'output',
  'events',
  'attach',
]

/** What every Orchestrator does. A test of an ability that the backend does not claim proves its refusal instead. */
export function orchestratorContract(name: string, makeHarness: () => Promise<OrchestratorHarness>): void {
  const can = async (harness: OrchestratorHarness, capability: Capability, use: () => Promise<unknown>) => {
    if (harness.orchestrator.capabilities.has(capability)) return true
    const error = await failure(use())
    expect(error).toBeInstanceOf(OperationError)
    expect(error).toMatchObject({ code: 'not-supported' })
    return false
  }

  describe(`${name} as an Orchestrator`, () => {
    it('shows a started session in list, get and status alike', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      expect(await orchestrator.list()).toEqual([])
      const started = await orchestrator.spawn(harness.request(one))
      expect(started).toMatchObject({ agent: one, liveness: { kind: 'running' } })
      expect((await orchestrator.list()).map((session) => session.agent)).toEqual([one])
      expect((await orchestrator.get(one)).liveness).toEqual(started.liveness)
      expect(await orchestrator.status(one)).toEqual(started.liveness)
    })

    it('refuses a second start while the first lives', async () => {
      await using harness = await makeHarness()
      await harness.orchestrator.spawn(harness.request(one))
      const error = await failure(harness.another().spawn(harness.request(one)))
      expect(error).toBeInstanceOf(ConflictError)
      expect(error).toMatchObject({ code: 'already-running' })
      expect(await harness.orchestrator.list()).toHaveLength(1)
    })

    it('lets exactly one of many simultaneous starts win', async () => {
      await using harness = await makeHarness()
      const handles = [harness.orchestrator, harness.another(), harness.another()]
      const starts = [...handles, ...handles].map((handle) => handle.spawn(harness.request(one)))
      const outcomes = await Promise.allSettled(starts)
      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'already-running' })
      }
      expect(await harness.orchestrator.list()).toHaveLength(1)
    })

    it('stops a session, and is a no-op for one that left or never was', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one))
      await harness.received(one)
      expect((await orchestrator.stop(one)).kind).toBe('stopped')
      expect(await orchestrator.status(one)).toMatchObject({ kind: 'stopped' })
      expect(await orchestrator.list()).toEqual([])
      expect((await orchestrator.stop(one)).kind).toBe('alreadyGone')
      expect((await orchestrator.stop(stranger)).kind).toBe('alreadyGone')
    })

    it('tells a killed program from a running one, and starts anew in its place', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one))
      await harness.received(one)
      const end = await harness.kill(one)
      const liveness = await stopped(orchestrator, one)
      expect(liveness).toMatchObject({ why: expect.stringMatching(/\w/), ...end })
      const again = await orchestrator.spawn(harness.request(one))
      expect(again.liveness.kind).toBe('running')
      expect(await orchestrator.list()).toHaveLength(1)
    })

    it('shows how a crashed program ended, and its last screen, and hands the screen over when replacing it', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one))
      await orchestrator.send(one, 'a last word')
      const end = await harness.crash(one)
      expect(await stopped(orchestrator, one)).toMatchObject({ why: expect.stringMatching(/\w/), ...end })
      expect((await orchestrator.output(one)).join('\n')).toContain('a last word')
      const recycled: string[] = []
      await orchestrator.spawn(harness.request(one, { onRecycled: (lines) => void recycled.push(...lines) }))
      expect(recycled.join('\n')).toContain('a last word')
      expect((await orchestrator.output(one)).join('\n')).not.toContain('a last word')
    })

    it('delivers a text as it is, and says what is proven', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one))
      const text = 'uses "quotes", $HOME, `ticks`, #{pid}, back\\slash; ends with a semicolon;'
      expect(await orchestrator.send(one, text)).toMatchObject({ kind: harness.proves, attempts: 1 })
      expect(await receivedAll(harness, one, 1)).toEqual([text])
      const confirm = async () => (await harness.received(one)).includes('please confirm')
      expect(
        await orchestrator.send(one, 'please confirm', { confirm: () => eventually('it', confirm) }),
      ).toMatchObject({
        kind: 'accepted',
      })
    })

    it('does not claim acceptance that was never confirmed', async () => {
      await using harness = await makeHarness()
      await harness.orchestrator.spawn(harness.request(one))
      const options = await harness.deafen(one)
      const error = await failure(harness.orchestrator.send(one, 'nobody hears this', options))
      expect(error).toBeInstanceOf(GtError)
      expect(error).toMatchObject({ code: 'not-accepted' })
    })

    it('keeps 40 texts sent at once whole', async () => {
      await using harness = await makeHarness()
      await harness.orchestrator.spawn(harness.request(one))
      const handles = [harness.orchestrator, harness.another()]
      const texts = Array.from(
        { length: 40 },
        (_, i) => `text ${i} ${'abcdefghij'.repeat(1 + (i % 9))} end ${i}`,
      )
      await Promise.all(texts.map((text, i) => (handles[i % 2] ?? harness.orchestrator).send(one, text)))
      expect((await receivedAll(harness, one, 40)).sort()).toEqual([...texts].sort())
    }, 40_000)

    it('refuses what it cannot deliver', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      const unknown = await failure(orchestrator.send(stranger, 'hello'))
      expect(unknown).toBeInstanceOf(NotFoundError)
      const submit = { ...harness.runtime().submit, maxBytes: 100 }
      await orchestrator.spawn(harness.request(one, { runtime: harness.runtime({ submit }) }))
      const long = await failure(orchestrator.send(one, 'x'.repeat(101)))
      expect(long).toBeInstanceOf(UsageError)
      expect(long).toMatchObject({ code: 'text-too-long' })
      await harness.received(one)
      await harness.kill(one)
      await stopped(orchestrator, one)
      const dead = await failure(orchestrator.send(one, 'hello'))
      expect(dead).toBeInstanceOf(ConflictError)
      expect(dead).toMatchObject({ code: 'session-dead' })
    })

    it('broadcasts to each, whatever happens to the others', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await Promise.all([one, two].map((agent) => orchestrator.spawn(harness.request(agent))))
      if (!(await can(harness, 'broadcast', () => orchestrator.broadcast([one], 'x')))) return
      const outcomes = await orchestrator.broadcast([one, stranger, two], 'to everybody')
      expect(outcomes.get(one)).toMatchObject({ kind: harness.proves })
      expect(outcomes.get(two)).toMatchObject({ kind: harness.proves })
      expect(outcomes.get(stranger)).toBeInstanceOf(NotFoundError)
      for (const agent of [one, two]) expect(await receivedAll(harness, agent, 1)).toEqual(['to everybody'])
    })

    it('assigns to an idle session only', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(
        harness.request(one, { runtime: harness.runtime({ busyMarker: 'esc to interrupt' }) }),
      )
      if (!(await can(harness, 'assign', () => orchestrator.assign(one, 'x')))) return
      await orchestrator.assign(one, LONG_WORK)
      await receivedAll(harness, one, 1)
      const error = await failure(orchestrator.assign(one, 'more'))
      expect(error).toBeInstanceOf(ConflictError)
      expect(error).toMatchObject({ code: 'busy' })
    })

    it('interrupts a turn without ending the session', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await orchestrator.spawn(harness.request(one))
      if (!(await can(harness, 'abort', () => orchestrator.abort(one)))) return
      await harness.received(one)
      await harness.startTurn(one)
      await orchestrator.abort(one)
      await eventually('the interrupt', async () => (await harness.interrupts(one)) === 1)
      expect((await orchestrator.status(one)).kind).toBe('running')
      expect(await failure(orchestrator.abort(stranger))).toBeInstanceOf(NotFoundError)
    })

    for (const mode of ['resume', 'fork'] as const) {
      it(`can ${mode} a conversation only with a program that can`, async () => {
        await using harness = await makeHarness()
        const { orchestrator } = harness
        const args = ['--continue', '{session}']
        const able = harness.runtime(mode === 'resume' ? { resumeArgs: args } : { forkArgs: args })
        const conversation = await harness.conversation()
        const request = harness.request(one, { runtime: able, launch: { session: conversation } })
        if (!(await can(harness, mode, () => orchestrator[mode](request)))) return
        const unable = {
          ...request,
          runtime: harness.runtime({ name: 'simple', resumeArgs: [], forkArgs: [] }),
        }
        const error = await failure(orchestrator[mode](unable))
        expect(error).toBeInstanceOf(OperationError)
        expect(error).toMatchObject({ code: 'not-supported', details: { runtime: 'simple' } })
        await orchestrator[mode](request)
        expect(await harness.continues(one, mode)).toBe(conversation)
      })
    }

    it('names an agent that has no session', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      const asks = [
        () => orchestrator.get(stranger),
        () => orchestrator.output(stranger),
        () => orchestrator.attachCommand(stranger),
      ]
      for (const ask of asks) {
        const error = await failure(ask())
        expect(error).toBeInstanceOf(NotFoundError)
        expect(error).toMatchObject({ code: 'session-not-found', message: expect.stringContaining(stranger) })
      }
      for (const odd of [stranger, '', 'a b', '=x:', '#{pid}', '../x', 'p/%1'] as AgentId[]) {
        expect(await orchestrator.status(odd)).toMatchObject({ kind: 'stopped' })
      }
    })

    it('claims only abilities of the port', async () => {
      await using harness = await makeHarness()
      for (const capability of harness.orchestrator.capabilities) expect(ALL).toContain(capability)
      const request = harness.request(one)
      await can(harness, 'spawn', () => harness.orchestrator.spawn(request))
      await can(harness, 'attach', () => harness.orchestrator.attachCommand(one))
    })

    it('reports sessions that come, die and go, and the end of the backend', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      const seen: OrchestratorEvent[] = []
      const over = new AbortController()
      if (
        !(await can(harness, 'events', async () =>
          orchestrator.events(over.signal)[Symbol.asyncIterator]().next(),
        ))
      )
        return
      const watching = (async () => {
        for await (const event of orchestrator.events(over.signal)) seen.push(event)
      })()
      const see = (what: string, match: (event: OrchestratorEvent) => boolean) =>
        eventually(what, () => seen.some(match))
      const changed = (agent: AgentId, kind: Liveness['kind']) => (event: OrchestratorEvent) =>
        event.kind === 'session-changed' &&
        event.session.agent === agent &&
        event.session.liveness.kind === kind

      await orchestrator.spawn(harness.request(one))
      await see('start', changed(one, 'running'))
      await harness.received(one)
      await harness.kill(one)
      await see('death', changed(one, 'stopped'))
      await orchestrator.stop(one)
      await see('departure', (event) => event.kind === 'session-gone' && event.agent === one)
      await orchestrator.spawn(harness.request(two))
      await see('second start', changed(two, 'running'))
      await orchestrator.shutdown()
      await eventually('the end of the stream', () => seen.at(-1)?.kind === 'backend-gone')
      await watching
      expect(seen.at(-1)).toMatchObject({ kind: 'backend-gone' })
    })

    it('ends a stream of events when nobody listens any more', async () => {
      await using harness = await makeHarness()
      if (!harness.orchestrator.capabilities.has('events')) return
      await harness.orchestrator.spawn(harness.request(one))
      const over = new AbortController()
      const seen: OrchestratorEvent[] = []
      for await (const event of harness.orchestrator.events(over.signal)) {
        seen.push(event)
        over.abort()
      }
      expect(seen).toMatchObject([{ kind: 'session-changed', session: { agent: one } }])
    })

    it('gives the program exactly the requested environment', async () => {
      await using harness = await makeHarness()
      const base = harness.request(one)
      const env = {
        ...base.env,
        EMPTY: '',
        AWKWARD: 'two words\n\tand "more"; $HOME ~ #{pid} \\n é',
        JSON_TEXT: '{"a":["b"]}',
        SHELL: '/bin/false',
      }
      await harness.orchestrator.spawn({ ...base, env })
      expect(await harness.environment(one)).toEqual(env)
    })

    it('leaves nothing behind after shutdown', async () => {
      await using harness = await makeHarness()
      const { orchestrator } = harness
      await Promise.all([one, two].map((agent) => orchestrator.spawn(harness.request(agent))))
      await Promise.all([one, two].map((agent) => harness.received(agent)))
      await orchestrator.shutdown()
      expect(await harness.leftovers()).toEqual([])
      expect(await orchestrator.list()).toEqual([])
      expect(await orchestrator.status(one)).toMatchObject({ kind: 'stopped' })
      await orchestrator.shutdown()
    })
  })
}

async function stopped(orchestrator: Orchestrator, agent: AgentId): Promise<Liveness> {
  return eventually(`${agent} counts as stopped`, async () => {
    const liveness = await orchestrator.status(agent)
    return liveness.kind === 'stopped' && liveness
  })
}

async function receivedAll(harness: OrchestratorHarness, agent: AgentId, count: number): Promise<string[]> {
  return eventually(`${agent} received ${count} texts`, async () => {
    const texts = await harness.received(agent)
    return texts.length >= count && texts
  })
}
