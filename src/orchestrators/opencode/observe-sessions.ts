import { existsSync } from 'node:fs'
import type { Session } from '@opencode-ai/sdk/v2/client'
import { NotFoundError } from '../../domain/errors.js'
import type { Activity, Liveness, ObservedSession } from '../../ports/orchestrator.js'
import { isAlive } from '../../system/process-table.js'
import { findPrompt } from './give-prompt.js'
import { answered, clientOf, messageOf, within } from './server-client.js'
import type { ServerPool } from './server-pool.js'
import { isServerAlive, nameOfServer, type ServerRecord } from './server-record.js'
import type { SessionRecord, SessionRecords } from './session-record.js'

export interface Observing {
  pool: ServerPool
  sessions: SessionRecords
}

const OBSERVE_TIMEOUT_MS = 10_000
/** Questions to servers at once. */
const WIDTH = 10

/** Everything that is known of one agent's session; a silent server makes it `unknown`, never absent. */
export async function observeSession(deps: Observing, record: SessionRecord): Promise<ObservedSession> {
  const server = deps.pool.records.find(record.server)
  if (server?.recycler !== undefined && isAlive(server.recycler.pid, server.recycler.startTime)) {
    return describe(record, server, { kind: 'unknown', why: 'its server is being started again' })
  }
  const dead = server === undefined ? 'its server is not there any more' : whyDead(server, record)
  if (server === undefined || dead !== undefined) {
    return describe(record, server, { kind: 'stopped', why: dead ?? '' })
  }
  try {
    if (record.sessionId === undefined) return describe(record, server, running(server))
    const session = await askSession(server, record.sessionId)
    const lost = record.awaiting === undefined ? undefined : await whyNotBegun(server, record)
    if (lost !== undefined) return describe(record, server, { kind: 'stopped', why: lost }, session)
    const activity = await askActivity(server, record)
    return describe(record, server, running(server), session, activity)
  } catch (error) {
    if (error instanceof NotFoundError) {
      return describe(record, server, {
        kind: 'stopped',
        why: 'its server does not know its conversation any more',
      })
    }
    // Between the look at the process and the question it may have gone.
    const gone = whyDead(server, record)
    if (gone !== undefined) return describe(record, server, { kind: 'stopped', why: gone })
    return describe(record, server, { kind: 'unknown', why: messageOf(error) })
  }
}

export async function observeAll(
  deps: Observing,
  records: readonly SessionRecord[],
): Promise<ObservedSession[]> {
  const queue = [...records.entries()]
  const found: ObservedSession[] = []
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      found[next[0]] = await observeSession(deps, next[1])
  }
  await Promise.all(Array.from({ length: Math.min(WIDTH, records.length) }, worker))
  return found
}

/** Proof that the session does not run: by its server's process, without a question to it. */
function whyDead(server: ServerRecord, record: SessionRecord): string | undefined {
  if (!server.external && !isServerAlive(server)) {
    return server.pid === undefined
      ? 'the start of its server was interrupted'
      : `its server (process ${server.pid}) was killed or ended by itself`
  }
  if (server.generation !== record.generation) return 'its server was started again since'
  if (record.sessionId === undefined && !isBeingStarted(record)) return 'its start was interrupted'
  return undefined
}

/** While somebody still starts it, a prompt that is not there yet is only on its way. */
async function whyNotBegun(server: ServerRecord, record: SessionRecord): Promise<string | undefined> {
  const { awaiting, sessionId } = record
  if (awaiting === undefined || sessionId === undefined || isBeingStarted(record)) return undefined
  if ((await findPrompt(server, sessionId, awaiting)) !== undefined) return undefined
  return 'its start was interrupted before its first prompt'
}

function isBeingStarted({ starter }: SessionRecord): boolean {
  return starter !== undefined && isAlive(starter.pid, starter.startTime)
}

function running(server: ServerRecord): Liveness {
  return { kind: 'running', ...(server.pid === undefined ? {} : { pid: server.pid }) }
}

/** @throws NotFoundError; ExternalError when the server is silent */
export async function askSession(server: ServerRecord, sessionId: string): Promise<Session> {
  return answered(
    server,
    'a session',
    clientOf(server).session.get({ sessionID: sessionId }, within(OBSERVE_TIMEOUT_MS)),
  )
}

/** @throws ExternalError when the server is silent */
export async function askActivity(
  server: ServerRecord,
  record: SessionRecord,
): Promise<Activity | undefined> {
  const { directory, sessionId = '' } = record
  // Asking for it would load a directory that is gone.
  if (!server.external && !existsSync(directory)) return undefined
  const client = clientOf(server)
  const limit = within(OBSERVE_TIMEOUT_MS)
  const all = await answered(server, 'what its sessions do', client.session.status({ directory }, limit))
  const status = all[sessionId]
  if (status === undefined || status.type === 'idle') return { kind: 'idle' }
  if (status.type === 'retry') {
    return { kind: 'retry', message: status.message, at: new Date(status.next).toISOString() }
  }
  const isOurs = (ask: { sessionID: string }) => ask.sessionID === sessionId
  // A session that asks counts as busy for its server.
  const asks = await answered(server, 'its permissions', client.permission.list({ directory }, limit))
  if (asks.some(isOurs)) return { kind: 'asking', what: 'permission' }
  const questions = await answered(server, 'its questions', client.question.list({ directory }, limit))
  return questions.some(isOurs) ? { kind: 'asking', what: 'question' } : { kind: 'busy' }
}

function describe(
  record: SessionRecord,
  server: ServerRecord | undefined,
  liveness: Liveness,
  session?: Session,
  activity?: Activity,
): ObservedSession {
  return {
    agent: record.agent,
    backend: 'opencode',
    liveness,
    location: locationOf(record, server),
    title: session?.title ?? '',
    command: 'opencode',
    startedAt: record.startedAt,
    ...(session === undefined ? {} : { lastActivityAt: new Date(session.time.updated).toISOString() }),
    ...(activity === undefined ? {} : { activity }),
    ...(record.sessionId === undefined ? {} : { conversation: record.sessionId }),
  }
}

function locationOf(record: SessionRecord, server: ServerRecord | undefined): string {
  return server === undefined ? `OpenCode server ${record.server}` : nameOfServer(server)
}
