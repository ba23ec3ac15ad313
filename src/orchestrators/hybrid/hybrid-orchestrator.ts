import { backendOfRuntime, type SessionBackend } from '../../domain/choose-backend.js'
import { ConflictError, GtError, OperationError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type {
  Capability,
  Liveness,
  ObservedSession,
  Orchestrator,
  SpawnRequest,
  StopReport,
} from '../../ports/orchestrator.js'
import { createAgentLocks } from '../tmux/agent-locks.js'
import { broadcast } from '../tmux/broadcast.js'
import { mergeEvents } from './merge-events.js'

export interface HybridOptions {
  /** Each loads when it is first needed; a rejection says why it cannot be used. */
  parts: Readonly<Record<SessionBackend, () => Promise<Orchestrator>>>
  /** Whether there can be a session of it at all, without loading it. */
  mayHold: Readonly<Record<SessionBackend, () => boolean>>
  /** Agents that should have a session, with the backend that was recorded for them. */
  recorded: () => ReadonlyMap<AgentId, SessionBackend>
  /** What to do when the server of a new session does not start. */
  fallback: 'fail' | 'tmux' | 'ask'
  lockDir: string
}

const NAMES: readonly SessionBackend[] = ['tmux', 'opencode']
const LOCK_MS = 300_000
/** Failures of the backend itself, not of what it was asked for. */
const CANNOT_START = [
  'server-start-failed',
  'server-start-timeout',
  'unsupported-version',
  'server-refused',
  'lock-timeout',
]

/** Each agent's session is in one of two backends; this finds which. It runs nothing itself. */
export function createHybridOrchestrator(options: HybridOptions): Orchestrator {
  const { parts, mayHold } = options
  const locks = createAgentLocks(options.lockDir)
  const other = (name: SessionBackend): SessionBackend => (name === 'tmux' ? 'opencode' : 'tmux')

  /**
   * Where an agent's session is: what was recorded first; when nothing runs there, the other one may have it (a fallback
   * whose record was never written).
   */
  const locate = async (agent: AgentId): Promise<{ name: SessionBackend; liveness: Liveness }> => {
    const first = options.recorded().get(agent) ?? (mayHold.opencode() ? 'opencode' : 'tmux')
    const liveness = await statusIn(first, agent)
    if (liveness.kind !== 'stopped' || !mayHold[other(first)]()) return { name: first, liveness }
    const elsewhere = await statusIn(other(first), agent)
    // What could not be asked there may well run there.
    return elsewhere.kind === 'stopped'
      ? { name: first, liveness }
      : { name: other(first), liveness: elsewhere }
  }
  const statusIn = async (name: SessionBackend, agent: AgentId): Promise<Liveness> => {
    if (!mayHold[name]()) return { kind: 'stopped', why: 'it has no session' }
    try {
      return await (await parts[name]()).status(agent)
    } catch (error) {
      return { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
    }
  }
  const partOf = async (agent: AgentId): Promise<Orchestrator> => parts[(await locate(agent)).name]()
  const wantedBy = (request: Pick<SpawnRequest, 'runtime' | 'backend'>): SessionBackend =>
    request.backend === undefined || request.backend === 'hybrid'
      ? backendOfRuntime(request.runtime)
      : request.backend

  const begin = (request: SpawnRequest, how: 'spawn' | 'resume' | 'fork') =>
    locks.holdUrgently(request.agent, 'route', LOCK_MS, async () => {
      const wanted = wantedBy(request)
      await requireFree(request.agent, other(wanted))
      try {
        return await (await parts[wanted]())[how](request)
      } catch (error) {
        const falls =
          wanted === 'opencode' && how === 'spawn' && options.fallback === 'tmux' && cannotStart(error)
        if (!falls) throw error
        const why = error instanceof Error ? error.message : String(error)
        const session = await (await parts.tmux()).spawn(request)
        request.onFallback?.({ wanted, used: 'tmux', why })
        return session
      }
    })
  /** Its own backend looks after itself. @throws ConflictError code `already-running`; OperationError `unknown-liveness` */
  const requireFree = async (agent: AgentId, name: SessionBackend): Promise<void> => {
    const liveness = await statusIn(name, agent)
    if (liveness.kind === 'stopped') return
    if (liveness.kind === 'unknown') {
      throw new OperationError(`cannot tell whether ${agent} runs in ${name}: ${liveness.why}`, {
        code: 'unknown-liveness',
        hint: 'try again',
        details: { agent, backend: name },
      })
    }
    throw new ConflictError(`agent ${agent} already runs, in ${name}`, {
      code: 'already-running',
      hint: `gt agent stop ${agent}`,
      details: { agent, backend: name },
    })
  }

  return {
    backend: 'hybrid',
    capabilities: new Set(CAPABILITIES),
    spawn: (request) => begin(request, 'spawn'),
    resume: (request) => begin(request, 'resume'),
    fork: (request) => begin(request, 'fork'),
    check: async (request) => (await parts[wantedBy(request)]()).check?.(request),
    takesPromptOnResume: (request) => wantedBy(request) === 'opencode',
    provesReceipts: async (agent) => (await partOf(agent)).provesReceipts?.(agent) ?? false,
    status: async (agent) => (await locate(agent)).liveness,
    get: async (agent) => (await partOf(agent)).get(agent),
    send: async (agent, text, sending) => (await partOf(agent)).send(agent, text, sending),
    assign: async (agent, text, sending) => (await partOf(agent)).assign(agent, text, sending),
    abort: async (agent) => (await partOf(agent)).abort(agent),
    output: async (agent, capture) => (await partOf(agent)).output(agent, capture),
    attachCommand: async (agent) => (await partOf(agent)).attachCommand(agent),
    follow: async (agent, following) => (await partOf(agent)).follow?.(agent, following),
    broadcast: (agents, text, sending) =>
      broadcast(agents, async (agent) => (await partOf(agent)).send(agent, text, sending)),
    list: () => listAll(options),
    events: (signal) => mergeEvents(options, signal),
    async stop(agent, how) {
      const first = options.recorded().get(agent) ?? 'opencode'
      const names = [first, other(first)].filter((name) => mayHold[name]())
      let report: StopReport = { kind: 'alreadyGone', screen: [], signalled: [] }
      for (const name of names) report = joined(report, await (await parts[name]()).stop(agent, how))
      return report
    },
    async shutdown() {
      for (const name of NAMES) if (mayHold[name]()) await (await parts[name]()).shutdown()
    },
  }
}

const CAPABILITIES: readonly Capability[] = [
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

function cannotStart(error: unknown): boolean {
  return error instanceof GtError && CANNOT_START.includes(error.code)
}

function joined(one: StopReport, two: StopReport): StopReport {
  return {
    kind: one.kind === 'stopped' || two.kind === 'stopped' ? 'stopped' : 'alreadyGone',
    screen: [...one.screen, ...two.screen],
    signalled: [...one.signalled, ...two.signalled],
  }
}

/**
 * All sessions. A backend that does not answer does not hide the other's; its own agents are `unknown`, not absent.
 * @throws what the backends throw, when none of those that may hold a session answers
 */
async function listAll({ parts, mayHold, recorded }: HybridOptions): Promise<ObservedSession[]> {
  const names = NAMES.filter((name) => mayHold[name]())
  const answers = await Promise.allSettled(names.map(async (name) => (await parts[name]()).list()))
  const failed = answers.flatMap((answer, i) =>
    answer.status === 'rejected' ? [{ name: names[i], ...answer }] : [],
  )
  if (failed.length > 0 && failed.length === names.length) throw failed[0]?.reason
  const known = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const silent = failed.flatMap(({ name, reason }) =>
    [...recorded()]
      .filter(([agent, backend]) => backend === name && !known.some((session) => session.agent === agent))
      .map(([agent, backend]) => unknownSession(agent, backend, reason)),
  )
  return onePerAgent([...known, ...silent])
}

/** What was left dead in one backend, and runs in the other now, is there. */
function onePerAgent(sessions: readonly ObservedSession[]): ObservedSession[] {
  const rank = ({ liveness }: ObservedSession) => ['running', 'unknown', 'stopped'].indexOf(liveness.kind)
  const chosen = new Map<AgentId, ObservedSession>()
  for (const session of [...sessions].sort((a, b) => rank(a) - rank(b)))
    if (!chosen.has(session.agent)) chosen.set(session.agent, session)
  return sessions.filter((session) => chosen.get(session.agent) === session)
}

function unknownSession(agent: AgentId, backend: SessionBackend, reason: unknown): ObservedSession {
  const why = reason instanceof Error ? reason.message : String(reason)
  return { agent, backend, liveness: { kind: 'unknown', why }, location: '', title: '', command: '' }
}
