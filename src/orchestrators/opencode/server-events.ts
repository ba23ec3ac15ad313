import { authorization, ONE_REQUEST_EACH } from './server-client.js'
import type { ServerRecord } from './server-record.js'

/** Of the whole server, all directories. */
export interface ServerEvent {
  /** Absent for events of the server itself. */
  directory?: string
  type: string
  properties: Record<string, unknown>
}

/**
 * One connection's events; the first is `server.connected`, and what happened before it is not told. Ends when the
 * connection does, or when `signal` fires. Not the SDK's own stream: that one reconnects out of sight, and waits out its
 * pause after it was told to end.
 *
 * @throws what fetch throws while it cannot connect
 */
export async function* serverEvents(server: ServerRecord, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const response = await fetch(`${server.url}/global/event`, {
    headers: { Authorization: authorization(server), Accept: 'text/event-stream', ...ONE_REQUEST_EACH },
    signal,
  })
  if (!response.ok || response.body === null) throw new Error(`the event stream answers ${response.status}`)
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = parseBlock(block)
        if (event !== undefined) yield event
      }
    }
  } catch {
    // Cut off, or `signal`: the caller knows which, and asks the server what it missed.
  }
}

/** Each durable event comes a second time, as `sync`; those are left out. */
function parseBlock(block: string): ServerEvent | undefined {
  const data = block
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).trimStart())
    .join('\n')
  if (data === '') return undefined
  try {
    const { directory, payload } = JSON.parse(data) as {
      directory?: unknown
      payload?: { type?: unknown; properties?: unknown }
    }
    if (typeof payload?.type !== 'string' || payload.type === 'sync') return undefined
    const properties =
      typeof payload.properties === 'object' && payload.properties !== null ? payload.properties : {}
    return {
      type: payload.type,
      // Checked just before.
      properties: properties as Record<string, unknown>,
      ...(typeof directory === 'string' ? { directory } : {}),
    }
  } catch {
    return undefined
  }
}

/** Id of the session that an event is about. */
export function sessionOfEvent(event: ServerEvent): string | undefined {
  const { sessionID, info } = event.properties as { sessionID?: unknown; info?: { id?: unknown } }
  if (typeof sessionID === 'string') return sessionID
  return event.type.startsWith('session.') && typeof info?.id === 'string' ? info.id : undefined
}
