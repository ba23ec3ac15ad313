import { mkdirSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { ConflictError, ExternalError, GtError, NotFoundError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { Clock } from '../../ports/clock.js'
import type { Capability, Orchestrator, Receipt, SpawnRequest } from '../../ports/orchestrator.js'
import { endMarked } from '../../system/end-marked.js'
import { missingBinary } from '../../system/run.js'
import { createAgentLocks } from '../tmux/agent-locks.js'
import { broadcast } from '../tmux/broadcast.js'
import { continuing } from '../tmux/continuing.js'
import { findProgram } from '../tmux/find-program.js'
import { attachSession, closeAttachment } from './attach-session.js'
import { followSession } from './follow-session.js'
import { givePrompt, readMessages } from './give-prompt.js'
import { askActivity, observeAll, observeSession } from './observe-sessions.js'
import { opencodePlaces } from './places.js'
import { readLaunch } from './read-launch.js'
import { readTranscript } from './read-transcript.js'
import { recoverSessions } from './recover-sessions.js'
import { recycleHeavy } from './recycle-servers.js'
import { answered, clientOf, within } from './server-client.js'
import { createServerPool, type ExternalServer } from './server-pool.js'
import type { ServerRecord } from './server-record.js'
import { removeOtherCards } from './session-card.js'
import { createSessionRecords, isAgentId, type SessionRecord } from './session-record.js'
import { type SpawnDeps, type SpawnMode, spawnSession } from './spawn-session.js'
import { stopSession } from './stop-session.js'
import { watchSessions } from './watch-sessions.js'

export interface OpencodeOrchestratorOptions {
  townRoot: string
  runDir: string
  /** The caller's environment. */
  env: Readonly<Record<string, string | undefined>>
  /** Puts the servers' configuration and plugin in place. @returns its folder */
  prepareConfig: () => Promise<string>
  /** Of the town's tmux server, for a person who attaches. */
  tmuxSocketPath: string
  /** Default true. */
  trimsCatalogue?: boolean
  sessionsPerServer?: number
  maxMemoryBytes?: number
  external?: ExternalServer
  /** From the start of a server to its first healthy answer. */
  startTimeoutMs?: number
  healthTimeoutMs?: number
  /** What a person should know and is no error. */
  remark?: (text: string) => void
  clock?: Clock
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
const STOP_GRACE_MS = 3_000
/** Includes the start of a server, on a busy machine. */
const LIFE_LOCK_MS = 300_000
/** What counts as one screen of a session that has none. */
const SCREEN_LINES = 48
const DEFAULT_SESSIONS_PER_SERVER = 30
const DEFAULT_MAX_MEMORY_BYTES = 4_000_000_000
const DEFAULT_START_TIMEOUT_MS = 60_000
/** Generous: thirty sessions may be at work on a small machine, and to take that for wedged would end them all. */
const DEFAULT_HEALTH_TIMEOUT_MS = 10_000

/** Agents as sessions of OpenCode servers that the town keeps for itself (or of one that the user runs). */
export function createOpencodeOrchestrator(options: OpencodeOrchestratorOptions): Orchestrator {
  const places = opencodePlaces(options.townRoot, options.runDir)
  const clock = options.clock ?? systemClock
  const sessions = createSessionRecords(places)
  const pool = createServerPool({
    places,
    sessions,
    clock,
    sessionsPerServer: options.sessionsPerServer ?? DEFAULT_SESSIONS_PER_SERVER,
    maxMemoryBytes: options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES,
    prepareConfig: options.prepareConfig,
    ...(options.external === undefined ? {} : { external: options.external }),
    startTimeoutMs: options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
    healthTimeoutMs: options.healthTimeoutMs ?? DEFAULT_HEALTH_TIMEOUT_MS,
    remark: options.remark ?? (() => undefined),
  })
  const deps: SpawnDeps = {
    places,
    pool,
    sessions,
    env: options.env,
    trimsCatalogue: options.trimsCatalogue ?? true,
  }
  const locks = createAgentLocks(places.locks)
  const attaching = { socketPath: options.tmuxSocketPath, tmux: 'tmux', env: options.env }

  const find = async (agent: AgentId): Promise<SessionRecord | undefined> => {
    if (!isAgentId(agent)) return undefined
    await recoverSessions(deps)
    return sessions.find(agent)
  }
  const require = async (agent: AgentId): Promise<SessionRecord> => {
    const record = await find(agent)
    if (record === undefined) throw noSession(agent)
    return record
  }
  /** Its record and server, when it can be talked to. */
  const requireLive = async (
    agent: AgentId,
  ): Promise<{ record: SessionRecord; server: ServerRecord; sessionId: string }> => {
    const record = await require(agent)
    const { liveness } = await observeSession(deps, record)
    const server = pool.records.find(record.server)
    if (liveness.kind === 'unknown') throw cannotAsk(agent, liveness.why)
    if (liveness.kind === 'stopped' || server === undefined || record.sessionId === undefined)
      throw sessionDead(agent, liveness.kind === 'stopped' ? liveness.why : 'it is being started')
    return { record, server, sessionId: record.sessionId }
  }
  const start = async (request: SpawnRequest, mode: SpawnMode) => {
    requireAgentId(request.agent)
    await recoverSessions(deps)
    await recycleHeavy(deps)
    return locks.hold(request.agent, 'life', LIFE_LOCK_MS, () => spawnSession(deps, request, mode))
  }
  const send = async (agent: AgentId, text: string): Promise<Receipt> => {
    const { record, server, sessionId } = await requireLive(agent)
    checkText(record, text)
    return givePrompt({ server, sessionId, text, ...promptValues(record) })
  }

  return {
    backend: 'opencode',
    capabilities: new Set(CAPABILITIES),
    spawn: (request) => start(request, 'new'),
    resume: async (request) => start(continuing(request, 'resume'), 'resume'),
    fork: async (request) => start(continuing(request, 'fork'), 'fork'),
    takesPromptOnResume: () => true,
    provesReceipts: async () => true,
    async check({ runtime }) {
      const { program } = readLaunch({ agent: '' as AgentId, runtime, cwd: '/', env: {}, launch: {} })
      if (findProgram(program, options.env.PATH ?? '/usr/bin:/bin', '/') === undefined)
        throw missingBinary(program)
    },
    get: async (agent) => observeSession(deps, await require(agent)),
    async list() {
      await recoverSessions(deps)
      return observeAll(deps, sessions.list())
    },
    stop: async (agent, { graceMs = STOP_GRACE_MS } = {}) => {
      requireAgentId(agent)
      if ((await find(agent)) === undefined) return { kind: 'alreadyGone', screen: [], signalled: [] }
      const report = await locks.hold(agent, 'life', LIFE_LOCK_MS, () => stopSession(deps, agent, graceMs))
      await closeAttachment(attaching, agent)
      return report
    },
    async abort(agent) {
      const { server, sessionId } = await requireLive(agent).catch((error: unknown) => {
        throw error instanceof GtError && error.code === 'session-dead' ? noSession(agent) : error
      })
      await answered(
        server,
        'an interrupt',
        clientOf(server).session.abort({ sessionID: sessionId }, within()),
      )
    },
    send,
    async assign(agent, text) {
      const { record, server, sessionId } = await requireLive(agent)
      const activity = await askActivity(server, record)
      if (activity !== undefined && activity.kind !== 'idle') throw isBusy(agent, activity.kind)
      if (await isBeginning(server, sessionId, clock.now())) throw isBusy(agent, 'begins')
      return send(agent, text)
    },
    broadcast: (agents, text) => broadcast(agents, (agent) => send(agent, text)),
    async status(agent) {
      try {
        const record = await find(agent)
        if (record === undefined) return { kind: 'stopped', why: 'it has no session' }
        return (await observeSession(deps, record)).liveness
      } catch (error) {
        return { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
      }
    },
    async output(agent, { scrollbackLines = 0 } = {}) {
      const lines = await readTranscript(deps, await require(agent))
      return lines.slice(-(SCREEN_LINES + scrollbackLines))
    },
    async follow(agent, following) {
      await require(agent)
      return followSession(deps, agent, following)
    },
    events: (signal) => watchSessions(deps, signal),
    async attachCommand(agent) {
      const { record, server } = await requireLive(agent)
      return attachSession(attaching, server, record)
    },
    async shutdown() {
      await recoverSessions(deps).catch(() => undefined)
      for (const { agent } of sessions.list()) await closeAttachment(attaching, agent)
      const external = pool.records.list().filter((server) => server.external)
      for (const record of sessions.list()) {
        if (external.some((server) => server.n === record.server)) await stopSession(deps, record.agent, 0)
      }
      await pool.endAll()
      for (const { mark } of sessions.list()) if (mark !== undefined) await endMarked(mark, STOP_GRACE_MS)
      rmSync(places.sessions, { recursive: true, force: true })
      removeOtherCards(places, new Set())
      mkdirSync(places.dir, { recursive: true, mode: 0o700 })
    },
  }
}

function promptValues(record: SessionRecord): { agentName: string; model?: string } {
  return {
    agentName: record.agentName ?? 'build',
    ...(record.model === undefined ? {} : { model: record.model }),
  }
}

/** Between a prompt and its turn a session counts as idle for a moment. */
async function isBeginning(server: ServerRecord, sessionId: string, now: number): Promise<boolean> {
  const last = (await readMessages(server, sessionId, 1)).at(-1)
  return last?.info.role === 'user' && now - last.info.time.created < BEGINNING_MS
}
const BEGINNING_MS = 10_000

function checkText({ agent, maxBytes }: SessionRecord, text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxBytes) return
  throw new UsageError(`the text has ${bytes} bytes; ${agent} takes at most ${maxBytes}`, {
    code: 'text-too-long',
    hint: 'send it as mail, and a short text that says so',
    details: { agent, bytes, maxBytes },
  })
}

function requireAgentId(agent: AgentId): void {
  if (isAgentId(agent)) return
  throw new UsageError(`${JSON.stringify(agent)} is not the id of an agent`, {
    code: 'bad-agent-name',
    hint: 'use rig/name',
  })
}

function noSession(agent: AgentId): NotFoundError {
  return new NotFoundError(`${agent} has no session`, {
    code: 'session-not-found',
    hint: 'gt agents',
    details: { agent },
  })
}

function sessionDead(agent: AgentId, why: string): ConflictError {
  return new ConflictError(`${agent} cannot be sent anything: ${why}`, {
    code: 'session-dead',
    hint: `gt agent resume ${agent}`,
    details: { agent },
  })
}

function isBusy(agent: AgentId, doing: string): ConflictError {
  return new ConflictError(`${agent} is in the middle of a turn (${doing})`, {
    code: 'busy',
    hint: `gt send ${agent} (it takes the text at its next step), or gt agent abort ${agent}`,
    details: { agent, doing },
  })
}

function cannotAsk(agent: AgentId, why: string): GtError {
  const facts = { code: 'unknown-liveness', hint: 'try again', details: { agent } }
  return new ExternalError(`cannot tell whether ${agent} runs: ${why}`, facts)
}

const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}
