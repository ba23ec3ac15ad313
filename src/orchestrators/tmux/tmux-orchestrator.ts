import { setTimeout as delay } from 'node:timers/promises'
import { ConflictError, NotFoundError, TimeoutError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { Clock } from '../../ports/clock.js'
import type {
  Capability,
  Orchestrator,
  Receipt,
  SendOptions,
  SpawnRequest,
} from '../../ports/orchestrator.js'
import { createAgentLocks } from './agent-locks.js'
import { broadcast } from './broadcast.js'
import { captureScreen } from './capture-screen.js'
import { continuing } from './continuing.js'
import { findProgram } from './find-program.js'
import { findPane, livenessOf, type Observing, observePanes, sessionOf } from './observe-panes.js'
import type { PaneRecord } from './parse-panes.js'
import { createProcessRecords } from './process-record.js'
import { isBusyScreen, payloadOf, sendText } from './send-text.js'
import { shutdownServer } from './shutdown-server.js'
import { spawnSession } from './spawn-session.js'
import { stopSession } from './stop-session.js'
import { createTmuxClient, isTmuxFailure } from './tmux-client.js'
import { pressKeys } from './typing-keys.js'
import { decodeProfile } from './typing-profile.js'
import { watchEvents } from './watch-events.js'

export interface TmuxOrchestratorOptions {
  /** At most 103 bytes; see `tmuxSocketPath`. */
  socketPath: string
  /** Shared by all processes that use this socket. */
  lockDir: string
  /** Where tmux is looked for. */
  path: string
  tmuxBinary?: string
  clock?: Clock
  defaultSize?: { columns: number; rows: number }
  /** How long the tmux server may take for one answer before it counts as unreachable. */
  answerTimeoutMs?: number
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
const STOP_GRACE_MS = 3000
const LIFE_LOCK_MS = 30_000
const KEYS_LOCK_MS = 60_000
/** An interrupt is wanted now; it waits only for the moment between a paste and its Enter. */
const ABORT_LOCK_MS = 1000

/** Agents in sessions of a tmux server of their own; the session has the agent's id as its name. */
export function createTmuxOrchestrator(options: TmuxOrchestratorOptions): Orchestrator {
  const { socketPath, lockDir } = options
  const clock = options.clock ?? systemClock
  const wanted = options.tmuxBinary ?? 'tmux'
  const binary = findProgram(wanted, options.path, '/') ?? wanted
  const client = createTmuxClient({ socketPath, binary, timeoutMs: options.answerTimeoutMs ?? 10_000 })
  const records = createProcessRecords(lockDir)
  const locks = createAgentLocks(lockDir)
  const defaultSize = options.defaultSize ?? { columns: 160, rows: 48 }
  const deps = { client, clock, records, defaultSize }

  const spawn = async (request: SpawnRequest) => {
    requireAgentId(request.agent)
    return locks.hold(request.agent, 'life', LIFE_LOCK_MS, () => spawnSession(deps, request))
  }

  const type = async (
    agent: AgentId,
    text: string,
    sending: SendOptions,
    refuseBusy: boolean,
  ): Promise<Receipt> => {
    await requirePane(deps, agent) // no lock file for what does not exist
    return locks.hold(agent, 'keys', KEYS_LOCK_MS, async () => {
      const pane = await requirePane(deps, agent)
      const { submit, busyMarker } = decodeProfile(agent, pane.profile)
      const payload = payloadOf(text, submit, agent)
      if (refuseBusy) await requireIdle(deps, agent, pane, busyMarker)
      return sendText(deps, { agent, pane, payload, submit, options: sending })
    })
  }
  const send = async (agent: AgentId, text: string, sending: SendOptions = {}) =>
    type(agent, text, sending, false)

  return {
    backend: 'tmux',
    capabilities: new Set(CAPABILITIES),
    spawn,
    send,
    assign: async (agent, text, sending = {}) => type(agent, text, sending, true),
    get: async (agent) => sessionOf(await requirePane(deps, agent)),
    list: async () => (await observePanes(deps)).map(sessionOf),
    stop: async (agent, { graceMs = STOP_GRACE_MS } = {}) => {
      requireAgentId(agent)
      return locks.hold(agent, 'life', LIFE_LOCK_MS + graceMs, () => stopSession(deps, agent, graceMs))
    },
    async abort(agent) {
      const pane = await requirePane(deps, agent)
      if (livenessOf(pane).kind !== 'running') throw noSession(agent)
      const keys = decodeProfile(agent, pane.profile).submit.interruptKeys
      const press = () => pressKeys(deps, { agent, pane }, keys)
      await locks.holdUrgently(agent, 'keys', ABORT_LOCK_MS, press).catch(async (error: unknown) => {
        if (!(error instanceof TimeoutError && error.code === 'lock-timeout')) throw error
        await press()
      })
    },
    resume: async (request) => spawn(continuing(request, 'resume')),
    fork: async (request) => spawn(continuing(request, 'fork')),
    broadcast: (agents, text, sending) => broadcast(agents, (agent) => send(agent, text, sending)),
    async status(agent) {
      try {
        const pane = isAgentId(agent) ? await findPane(deps, agent) : undefined
        return pane === undefined ? { kind: 'stopped', why: whyNoSession(agent) } : livenessOf(pane)
      } catch (error) {
        return { kind: 'unknown', why: error instanceof Error ? error.message : String(error) }
      }
    },
    async output(agent, capture) {
      const pane = await requirePane(deps, agent)
      return captureScreen(client, pane.paneId, capture).catch((error: unknown) => {
        throw isTmuxFailure(error, 'no-target', 'no-server', 'server-lost') ? noSession(agent) : error
      })
    },
    events: (signal) => watchEvents(deps, signal),
    async attachCommand(agent) {
      const pane = await requirePane(deps, agent)
      // Also from inside a person's own tmux: a server refuses only terminals that are its own panes, whatever TMUX says.
      return { argv: [wanted, '-S', socketPath, 'attach', '-t', `=${pane.sessionName}`] }
    },
    shutdown: () => shutdownServer(deps, STOP_GRACE_MS),
  }

  function whyNoSession(agent: AgentId): string {
    const orphan = isAgentId(agent) ? records.find(agent)?.root : undefined
    if (orphan === undefined) return 'it has no session'
    return `its tmux server is gone; its process ${orphan.pid} lives without a terminal until the next start or stop`
  }
}

const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}

/** Anything else could be a format or another session's name to tmux. */
function isAgentId(agent: string): boolean {
  return /^[a-z0-9][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)?$/.test(agent)
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

async function requirePane(deps: Observing, agent: AgentId): Promise<PaneRecord> {
  const pane = isAgentId(agent) ? await findPane(deps, agent) : undefined
  if (pane === undefined) throw noSession(agent)
  return pane
}

async function requireIdle(
  deps: Observing,
  agent: AgentId,
  pane: PaneRecord,
  busyMarker: string,
): Promise<void> {
  if (pane.isDead || !isBusyScreen(await captureScreen(deps.client, pane.paneId), busyMarker)) return
  throw new ConflictError(`${agent} is in the middle of a turn`, {
    code: 'busy',
    hint: `gt send ${agent} (queued by most programs), or gt agent abort ${agent}`,
    details: { agent, busyMarker },
  })
}
