import { describe, expect, it } from 'vitest'
import type { Fallback } from '../../src/domain/choose-backend.js'
import { ConflictError, ExternalError } from '../../src/domain/errors.js'
import type { AgentId } from '../../src/domain/ids.js'
import type { OrchestratorEvent } from '../../src/ports/orchestrator.js'
import { orchestratorContract } from './contract.js'
import { eventually, failure } from './eventually.js'
import { makeHybridHarness } from './hybrid-harness.js'

orchestratorContract('hybrid over tmux', () => makeHybridHarness('tmux'))
orchestratorContract('hybrid over opencode', () => makeHybridHarness('opencode'))

const pane = 'proj/pane' as AgentId
const served = 'proj/served' as AgentId

describe('two backends as one', () => {
  it('routes by runtime unless told otherwise, and shows both in one list', async () => {
    await using harness = await makeHybridHarness('opencode')
    const { orchestrator, tmux, opencode } = harness
    expect((await orchestrator.spawn(tmux.request(pane))).backend).toBe('tmux')
    expect((await orchestrator.spawn(opencode.request(served))).backend).toBe('opencode')
    const all = await orchestrator.list()
    expect(all.map(({ agent, backend, liveness }) => [agent, backend, liveness.kind])).toEqual([
      [pane, 'tmux', 'running'],
      [served, 'opencode', 'running'],
    ])
    // A later command has nothing but the agent's name.
    const later = harness.another()
    expect(await later.send(pane, 'to the pane')).toMatchObject({ kind: 'shown' })
    expect(await later.send(served, 'to the server')).toMatchObject({ kind: 'accepted' })
    expect(await tmux.received(pane)).toEqual(['to the pane'])
    expect(await opencode.received(served)).toEqual(['to the server'])
    expect(await later.provesReceipts?.(served)).toBe(true)
    expect(await later.provesReceipts?.(pane)).toBe(false)
    expect(await later.follow?.(pane, { count: 1, signal: new AbortController().signal })).toBeUndefined()
    const told = await later.broadcast([pane, served], 'to both')
    expect([...told.values()]).toMatchObject([{ kind: 'shown' }, { kind: 'accepted' }])

    const forced = tmux.request('proj/forced' as AgentId, { backend: 'opencode' })
    expect(await failure(orchestrator.spawn(forced))).toMatchObject({ code: 'not-supported' })
    expect((await orchestrator.stop(pane)).kind).toBe('stopped')
    expect((await orchestrator.stop(served)).kind).toBe('stopped')
    expect(await orchestrator.list()).toEqual([])
  })

  it('lets an agent run in one of them only', async () => {
    await using harness = await makeHybridHarness('opencode')
    const { orchestrator, tmux, opencode } = harness
    await orchestrator.spawn(tmux.request(pane))
    const error = await failure(orchestrator.spawn(opencode.request(pane)))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'already-running' })
    expect(await orchestrator.list()).toHaveLength(1)
  })

  it('shows the agents of a silent backend as unknown, not as absent', async () => {
    await using harness = await makeHybridHarness('opencode')
    const { orchestrator, tmux, opencode, recorded } = harness
    await orchestrator.spawn(tmux.request(pane))
    await orchestrator.spawn(opencode.request(served))
    recorded.set(pane, 'tmux')
    recorded.set(served, 'opencode')
    const silent = async () => {
      throw new ExternalError('tmux does not answer', { code: 'tmux-not-answering' })
    }
    const half = harness.make({ parts: { tmux: silent } })
    expect((await half.list()).map(({ agent, liveness }) => [agent, liveness.kind])).toEqual([
      [served, 'running'],
      [pane, 'unknown'],
    ])
    expect(await half.status(pane)).toMatchObject({ kind: 'unknown', why: 'tmux does not answer' })
    expect(await half.status(served)).toMatchObject({ kind: 'running' })
    const none = harness.make({ parts: { tmux: silent, opencode: silent } })
    expect(await failure(none.list())).toMatchObject({ code: 'tmux-not-answering' })
  })

  it('falls back to tmux when the server does not start, and says so', async () => {
    await using harness = await makeHybridHarness('opencode')
    const { tmux, opencode } = harness
    const broken = async () => {
      throw new ExternalError('opencode serve ended at once (exit code 1)', { code: 'server-start-failed' })
    }
    const fallbacks: Fallback[] = []
    const request = {
      ...tmux.request(served),
      backend: 'opencode' as const,
      onFallback: (fallback: Fallback) => void fallbacks.push(fallback),
    }
    const strict = harness.make({ parts: { opencode: broken } })
    expect(await failure(strict.spawn(request))).toMatchObject({ code: 'server-start-failed' })
    expect(await tmux.orchestrator.list()).toEqual([])
    const lenient = harness.make({ fallback: 'tmux', parts: { opencode: broken } })
    expect(await lenient.spawn(request)).toMatchObject({ backend: 'tmux', liveness: { kind: 'running' } })
    expect(fallbacks).toEqual([
      { wanted: 'opencode', used: 'tmux', why: 'opencode serve ended at once (exit code 1)' },
    ])
    // The record that it is in tmux was never written: it is found all the same.
    harness.recorded.set(served, 'opencode')
    expect(await harness.another().status(served)).toMatchObject({ kind: 'running' })
    expect(await opencode.orchestrator.list()).toEqual([])
    // A conversation is where it is.
    const continued = { ...request, agent: pane, launch: { session: 'ses_x' }, runtime: opencode.runtime() }
    expect(await failure(lenient.resume(continued))).toMatchObject({ code: 'server-start-failed' })
  })

  it('tells the changes of both in one stream', async () => {
    await using harness = await makeHybridHarness('opencode')
    const { orchestrator, tmux, opencode } = harness
    const seen: OrchestratorEvent[] = []
    const over = new AbortController()
    const watching = (async () => {
      for await (const event of orchestrator.events(over.signal)) seen.push(event)
    })()
    const running = (agent: AgentId) =>
      eventually(`${agent} to run`, () =>
        seen.some(
          (event) =>
            event.kind === 'session-changed' &&
            event.session.agent === agent &&
            event.session.liveness.kind === 'running',
        ),
      )
    await orchestrator.spawn(tmux.request(pane))
    await orchestrator.spawn(opencode.request(served))
    await running(pane)
    await running(served)
    await orchestrator.stop(served)
    await eventually('the end of one', () =>
      seen.some((event) => event.kind === 'session-gone' && event.agent === served),
    )
    over.abort()
    await watching
    expect(seen.some((event) => event.kind === 'backend-gone')).toBe(false)
  })
})
