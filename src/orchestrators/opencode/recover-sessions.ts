import type { GlobalSession } from '@opencode-ai/sdk/v2/client'
import type { AgentId } from '../../domain/ids.js'
import type { OpencodePlaces } from './places.js'
import { recoverServers } from './recover-servers.js'
import { answered, clientOf, within } from './server-client.js'
import type { ServerPool } from './server-pool.js'
import type { ServerRecord } from './server-record.js'
import { isAgentId, type SessionRecord, type SessionRecords } from './session-record.js'

const LISTED = 1_000
const DEFAULT_MAX_BYTES = 64_000

/**
 * Makes the registry again when it was lost: each session says in its metadata, which the server keeps, whose it is and on
 * which start of which server it runs. Costs a look at a folder when nothing was lost.
 */
export async function recoverSessions(deps: {
  places: OpencodePlaces
  pool: ServerPool
  sessions: SessionRecords
}): Promise<void> {
  if (deps.sessions.isWhole()) return
  recoverServers(deps.places, deps.pool.records)
  for (const server of deps.pool.records.list()) {
    const known = await answered(
      server,
      'all sessions',
      clientOf(server).experimental.session.list({ limit: LISTED }, within()),
    )
    // Newest first, as the server lists them: an agent's older sessions are history.
    for (const session of known) {
      const record = recordOf(session, server, deps.places)
      if (record !== undefined && deps.sessions.find(record.agent) === undefined) deps.sessions.write(record)
    }
  }
  deps.sessions.markWhole()
}

function recordOf(
  session: GlobalSession,
  server: ServerRecord,
  places: OpencodePlaces,
): SessionRecord | undefined {
  const { gt } = (session.metadata ?? {}) as { gt?: Record<string, unknown> }
  const isLive =
    gt?.town === places.townRoot &&
    gt.server === server.n &&
    gt.generation === server.generation &&
    gt.ended === undefined &&
    session.parentID === undefined
  if (!isLive || typeof gt.agent !== 'string' || !isAgentId(gt.agent)) return undefined
  return {
    formatVersion: 1,
    // Checked just before.
    agent: gt.agent as AgentId,
    server: server.n,
    generation: server.generation,
    directory: session.directory,
    program: typeof gt.program === 'string' ? gt.program : 'opencode',
    startedAt: new Date(session.time.created).toISOString(),
    sessionId: session.id,
    maxBytes: typeof gt.maxBytes === 'number' ? gt.maxBytes : DEFAULT_MAX_BYTES,
    ...(typeof gt.session === 'string' ? { mark: `GT_SESSION=${gt.session}` } : {}),
    ...(session.agent === undefined ? {} : { agentName: session.agent }),
    ...(typeof gt.model === 'string' ? { model: gt.model } : {}),
  }
}
