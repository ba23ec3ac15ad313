import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ExternalError, GtError, TimeoutError } from '../../domain/errors.js'
import type { Receipt } from '../../ports/orchestrator.js'
import { answered, clientOf, messageOf, within } from './server-client.js'
import { type ServerEvent, serverEvents, sessionOfEvent } from './server-events.js'
import type { ServerRecord } from './server-record.js'
import type { TranscriptMessage } from './transcript.js'

export interface PromptRequest {
  server: ServerRecord
  sessionId: string
  text: string
  agentName: string
  /** `provider/model`; left out: the session's own. */
  model?: string
  /** Name of this prompt, kept in the message's metadata; the same is never put in twice. */
  nonce?: string
  timeoutMs?: number
}

/** A first prompt waits for its directory to be loaded, on a busy machine beside thirty others. */
const ACCEPT_TIMEOUT_MS = 90_000
const TRIES = 3
/** A failure of an older turn may be told just now; ours would keep the message from being stored at all. */
const LOST_AFTER_MS = 1_000
const FIRST_LOOK_MS = 150
const LOOK_BACK = 200

export function newNonce(): string {
  return randomBytes(9).toString('base64url')
}

/**
 * Hands a text to a session, busy or not, and returns when the session holds it as a message: the server's answer to the
 * request alone proves nothing. When the answer is lost, the session is searched before the text is given again.
 *
 * @throws TimeoutError code `not-accepted`; ExternalError `not-accepted` with the server's reason, `server-silent`
 */
export async function givePrompt(request: PromptRequest): Promise<Receipt> {
  const nonce = request.nonce ?? newNonce()
  const timeoutMs = request.timeoutMs ?? ACCEPT_TIMEOUT_MS
  const over = new AbortController()
  const deadline = performance.now() + timeoutMs
  const watch = watchForMessage(request, nonce, over.signal)
  try {
    await Promise.race([watch.connected, sleep(5_000, undefined, { signal: over.signal })])
    for (let attempt = 1; ; attempt++) {
      const failure = await post(request, nonce, timeoutMs)
      const outcome = failure ?? (await settle(request, nonce, watch, deadline))
      if (outcome === 'seen' || (await isStored(request, nonce))) return receipt(attempt)
      if (attempt === TRIES || performance.now() > deadline) throw notAccepted(request, outcome, timeoutMs)
      await sleep(200 * attempt)
    }
  } finally {
    over.abort()
  }
}

function receipt(attempts: number): Receipt {
  return {
    kind: 'accepted',
    at: new Date().toISOString(),
    attempts,
    evidence: 'the session holds it as a message',
  }
}

/** @returns why it failed, when it may be tried again */
async function post(request: PromptRequest, nonce: string, timeoutMs: number): Promise<Error | undefined> {
  const { server, sessionId, text, agentName } = request
  const slash = request.model?.indexOf('/') ?? -1
  const model =
    request.model === undefined || slash < 1
      ? {}
      : { model: { providerID: request.model.slice(0, slash), modelID: request.model.slice(slash + 1) } }
  try {
    await answered(
      server,
      'a prompt',
      clientOf(server).session.promptAsync(
        {
          sessionID: sessionId,
          agent: agentName,
          ...model,
          parts: [{ type: 'text', text, metadata: { gt: { prompt: nonce } } }],
        },
        within(timeoutMs),
      ),
    )
    return undefined
  } catch (error) {
    if (error instanceof GtError && error.code === 'server-silent') return error
    throw error
  }
}

async function settle(
  request: PromptRequest,
  nonce: string,
  watch: Watch,
  deadline: number,
): Promise<'seen' | Error | 'time'> {
  const over = new AbortController()
  const pause = (ms: number) => sleep(ms, undefined, { signal: over.signal }).catch(() => undefined)
  try {
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, 5_000)) {
      const left = deadline - performance.now()
      if (left <= 0) return 'time'
      // The session itself is asked, too: a stream tells everything only a moment after it is connected, and may be cut.
      const news = await Promise.race([watch.seen, watch.failed, pause(Math.min(left, waitMs))])
      if (news === 'seen') return 'seen'
      if (await isStored(request, nonce)) return 'seen'
      if (!(news instanceof Error)) continue
      const late = await Promise.race([watch.seen, pause(LOST_AFTER_MS)])
      return late === 'seen' || (await isStored(request, nonce)) ? 'seen' : news
    }
  } finally {
    over.abort()
  }
}

interface Watch {
  connected: Promise<void>
  seen: Promise<'seen'>
  /** The session said that something failed; perhaps this prompt. */
  failed: Promise<Error>
}

function watchForMessage(request: PromptRequest, nonce: string, signal: AbortSignal): Watch {
  let connect: () => void = () => undefined
  let see: (value: 'seen') => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  const watch: Watch = {
    connected: new Promise((resolve) => {
      connect = resolve
    }),
    seen: new Promise((resolve) => {
      see = resolve
    }),
    failed: new Promise((resolve) => {
      fail = resolve
    }),
  }
  const listen = async () => {
    for await (const event of serverEvents(request.server, signal)) {
      if (event.type === 'server.connected') connect()
      if (sessionOfEvent(event) !== request.sessionId) continue
      if (carries(event, nonce)) see('seen')
      if (event.type === 'session.error') fail(new Error(messageOf(event.properties.error)))
    }
  }
  // Without the stream the session is asked.
  listen()
    .catch(() => undefined)
    .finally(connect)
  return watch
}

function carries(event: ServerEvent, nonce: string): boolean {
  if (event.type !== 'message.part.updated') return false
  const { part } = event.properties as { part?: { metadata?: { gt?: { prompt?: unknown } } } }
  return part?.metadata?.gt?.prompt === nonce
}

async function isStored(request: PromptRequest, nonce: string): Promise<boolean> {
  return (await findPrompt(request.server, request.sessionId, nonce)) !== undefined
}

/** The message that a prompt became. */
export async function findPrompt(
  server: ServerRecord,
  sessionId: string,
  nonce: string,
): Promise<TranscriptMessage | undefined> {
  const messages = await readMessages(server, sessionId, LOOK_BACK)
  return messages.find(({ parts }) =>
    parts.some(
      (part) => (part as { metadata?: { gt?: { prompt?: unknown } } }).metadata?.gt?.prompt === nonce,
    ),
  )
}

/** The newest `limit` messages, oldest first. */
export async function readMessages(
  server: ServerRecord,
  sessionId: string,
  limit: number,
): Promise<TranscriptMessage[]> {
  return answered(
    server,
    'its messages',
    clientOf(server).session.messages({ sessionID: sessionId, limit }, within()),
  )
}

function notAccepted(request: PromptRequest, outcome: Error | 'time', timeoutMs: number): GtError {
  const details = { session: request.sessionId, server: request.server.n }
  const hint = 'look at the session (gt peek), then try again; or leave it mail: gt mail send'
  if (outcome === 'time') {
    return new TimeoutError(`the session did not take the text within ${timeoutMs / 1_000} s`, {
      code: 'not-accepted',
      hint,
      details,
    })
  }
  if (outcome instanceof GtError) return outcome
  return new ExternalError(`the session did not take the text: ${outcome.message}`, {
    code: 'not-accepted',
    hint,
    details,
    cause: outcome,
  })
}
