import { ExternalError } from '../../domain/errors.js'
import { run } from '../../system/run.js'
import { readMessages } from './give-prompt.js'
import type { OpencodePlaces } from './places.js'
import type { ServerPool } from './server-pool.js'
import { isServerAlive } from './server-record.js'
import type { SessionRecord } from './session-record.js'
import { type TranscriptMessage, transcriptLines } from './transcript.js'

export interface TranscriptDeps {
  pool: ServerPool
  places: OpencodePlaces
  /** The caller's environment: where opencode finds its files. */
  env: Readonly<Record<string, string | undefined>>
}

/** Messages that are read for a screen or a tail. */
export const TRANSCRIPT_MESSAGES = 400
const EXPORT_TIMEOUT_MS = 60_000

/** The conversation as lines, from its server, or from the database when the server is gone. */
export async function readTranscript(deps: TranscriptDeps, record: SessionRecord): Promise<string[]> {
  return transcriptLines(await readConversation(deps, record))
}

export async function readConversation(
  deps: TranscriptDeps,
  record: SessionRecord,
): Promise<TranscriptMessage[]> {
  const server = deps.pool.records.find(record.server)
  if (record.sessionId === undefined) return []
  if (server !== undefined && (server.external || isServerAlive(server)))
    return readMessages(server, record.sessionId, TRANSCRIPT_MESSAGES)
  return exportConversation(deps, record.program, record.sessionId)
}

/** A process of its own, for a second: no server need be started to look at what a dead one left. */
async function exportConversation(
  deps: TranscriptDeps,
  program: string,
  sessionId: string,
): Promise<TranscriptMessage[]> {
  const result = await run([program, 'export', sessionId], {
    cwd: deps.places.dir,
    timeoutMs: EXPORT_TIMEOUT_MS,
    env: readerEnvironment(deps.env, deps.places),
  })
  try {
    // The format of `opencode export` is that of the server's own messages.
    const { messages } = JSON.parse(result.stdout.slice(result.stdout.indexOf('{'))) as {
      messages: TranscriptMessage[]
    }
    return messages.slice(-TRANSCRIPT_MESSAGES)
  } catch (cause) {
    throw new ExternalError(`opencode does not give the conversation ${sessionId} out`, {
      code: 'export-failed',
      hint: 'resume the agent, then look again',
      cause,
    })
  }
}

/** Nothing of the user's configuration is needed to read: no plugin loads, nothing is fetched. */
function readerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  places: OpencodePlaces,
): Record<string, string> {
  const passed = [
    'PATH',
    'HOME',
    'TMPDIR',
    'XDG_CONFIG_HOME',
    'XDG_DATA_HOME',
    'XDG_CACHE_HOME',
    'XDG_STATE_HOME',
  ]
  return {
    ...Object.fromEntries(passed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    OPENCODE_DB: places.database,
    OPENCODE_PURE: '1',
    OPENCODE_DISABLE_PROJECT_CONFIG: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_AUTOUPDATE: '1',
  }
}
