import { existsSync } from 'node:fs'
import { OperationError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { StopReport } from '../../ports/orchestrator.js'
import { endMarked } from '../../system/end-marked.js'
import { observeSession } from './observe-sessions.js'
import { readTranscript } from './read-transcript.js'
import { clientOf, messageOf, within } from './server-client.js'
import { nameOfServer, type ServerRecord } from './server-record.js'
import { removeCard } from './session-card.js'
import type { SessionRecord } from './session-record.js'
import type { SpawnDeps } from './spawn-session.js'

const ABORT_TIMEOUT_MS = 10_000
/** A plugin that is told to leave may still have reports on their way. */
const DISPOSE_TIMEOUT_MS = 15_000

/**
 * Ends an agent's session, its tools included, and the server with its last one. The conversation stays in the database.
 * Called under the agent's `life` lock.
 *
 * @throws ExternalError when its server is alive and silent: then nothing is known to have ended
 */
export async function stopSession(deps: SpawnDeps, agent: AgentId, graceMs: number): Promise<StopReport> {
  const record = deps.sessions.find(agent)
  if (record === undefined) return { kind: 'alreadyGone', screen: [], signalled: [] }
  const { liveness } = await observeSession(deps, record)
  const server = deps.pool.records.find(record.server)
  const isThere = server !== undefined && liveness.kind !== 'stopped'
  const screen = await readTranscript(deps, record).catch(() => [])
  if (isThere) await endTurn(server, record)
  if (isThere) await unload(deps, server, record)
  // What its tools left behind, also those of a server that was killed.
  const report =
    record.mark === undefined ? { signalled: [], survivors: [] } : await endMarked(record.mark, graceMs)
  if (report.survivors.length > 0) {
    const pids = report.survivors.map(({ pid }) => pid)
    throw new OperationError(
      `${agent} could not be ended: process ${pids.join(', ')} does not react to SIGKILL`,
      {
        code: 'still-running',
        hint: `ps -o pid,stat,wchan,args -p ${pids.join(',')}`,
        details: { agent, pids },
      },
    )
  }
  await deps.pool.release(record.server, () => {
    deps.sessions.forget(agent)
    if (record.sessionId !== undefined) removeCard(deps.places, record.sessionId)
  })
  return {
    kind: liveness.kind === 'stopped' ? 'alreadyGone' : 'stopped',
    screen,
    signalled: report.signalled,
  }
}

/** Ends the turn and the processes of its tools. @throws OperationError when the server did not do it */
async function endTurn(server: ServerRecord, { agent, sessionId }: SessionRecord): Promise<void> {
  if (sessionId === undefined) return
  const answer = await clientOf(server)
    .session.abort({ sessionID: sessionId }, within(ABORT_TIMEOUT_MS))
    .catch((error: unknown) => ({ data: undefined, error }))
  if (answer.data === true) return markEnded(server, sessionId)
  throw new OperationError(
    `${nameOfServer(server)} does not end the session of ${agent}: ${messageOf(answer.error)}`,
    {
      code: 'stop-failed',
      hint: 'try again; gt agents shows who else is on that server',
      details: { agent },
    },
  )
}

/** So that a registry that is made again from the server leaves it out, and followers see the end. */
async function markEnded(server: ServerRecord, sessionID: string): Promise<void> {
  const client = clientOf(server)
  const { data } = await client.session.get({ sessionID }, within(ABORT_TIMEOUT_MS))
  const gt = (data?.metadata as { gt?: object } | undefined)?.gt
  const metadata = { gt: { ...gt, ended: new Date().toISOString() } }
  await client.session.update({ sessionID, metadata }, within(ABORT_TIMEOUT_MS))
}

/** Nothing of the directory stays in the server: its plugin leaves, its MCP servers end. */
async function unload(deps: SpawnDeps, server: ServerRecord, record: SessionRecord): Promise<void> {
  const shared = deps.sessions
    .list()
    .some(({ agent, directory }) => agent !== record.agent && directory === record.directory)
  if (shared || (!server.external && !existsSync(record.directory))) return
  await clientOf(server, record.directory)
    .instance.dispose({ directory: record.directory }, within(DISPOSE_TIMEOUT_MS))
    .catch(() => undefined) // memory, not truth
}
