import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2/client'
import { ExternalError, NotFoundError } from '../../domain/errors.js'
import { nameOfServer, type ServerRecord } from './server-record.js'

export type { OpencodeClient }

/** Generous: a server with thirty working sessions on a busy machine answers late, and late is not never. */
export const ANSWER_TIMEOUT_MS = 20_000

export function clientOf(server: ServerRecord, directory?: string): OpencodeClient {
  return createOpencodeClient({
    baseUrl: server.url,
    headers: { Authorization: authorization(server), ...ONE_REQUEST_EACH },
    // The SDK hands over whole requests.
    fetch: (request) => askTwice(request as Request),
    ...(directory === undefined ? {} : { directory }),
  })
}

/**
 * A kept connection would be that of a process that is gone by now: a server comes back on the same port, and the first
 * question to it would fail.
 */
export const ONE_REQUEST_EACH = { Connection: 'close' }

/**
 * A connection that was made to a process that just ended is reset when the next one has its port (seen after a frozen server
 * was replaced). Everything asked here may be asked again, but for a prompt, which looks for itself before it is repeated.
 */
async function askTwice(request: Request): Promise<Response> {
  const again = request.url.includes('/prompt_async') ? undefined : request.clone()
  try {
    return await fetch(request)
  } catch (error) {
    const code = (error as { cause?: { code?: unknown } }).cause?.code
    if (again === undefined || !RESETS.includes(String(code))) throw error
    return fetch(again)
  }
}
const RESETS = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']

export function authorization(server: Pick<ServerRecord, 'username' | 'password'>): string {
  return `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
}

/** Second argument of every call of the SDK. */
export function within(timeoutMs: number = ANSWER_TIMEOUT_MS, signal?: AbortSignal): { signal: AbortSignal } {
  const deadline = AbortSignal.timeout(timeoutMs)
  return { signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]) }
}

/** What the SDK resolves with: it does not reject. */
interface Answer<T> {
  data?: T
  error?: unknown
  response?: Response
}

/**
 * @throws ExternalError code `server-silent` (no answer: it may or may not have been done) or `server-refused`;
 *   NotFoundError code `session-not-found`
 */
export async function answered<T>(server: ServerRecord, what: string, call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call.catch((thrown: unknown): Answer<T> => ({ error: thrown }))
  if (error === undefined && response?.ok === true) {
    // 204 has no data; its callers take none.
    return data as T
  }
  const details = { server: server.n, url: server.url, status: response?.status ?? null }
  if (response === undefined) {
    throw new ExternalError(`${nameOfServer(server)} does not answer (${what}): ${messageOf(error)}`, {
      code: 'server-silent',
      hint: 'gt status shows what runs; try again',
      details,
      cause: error,
    })
  }
  if (response.status === 404)
    throw new NotFoundError(`${nameOfServer(server)} does not know it (${what})`, {
      code: 'session-not-found',
      details,
    })
  throw new ExternalError(
    response.status === 401
      ? `${nameOfServer(server)} refuses the password`
      : `${nameOfServer(server)} refused (${what}): ${messageOf(error)}`,
    { code: 'server-refused', details, cause: error },
  )
}

export function messageOf(error: unknown): string {
  if (error instanceof Error) {
    const { cause } = error
    return cause instanceof Error && cause.message !== ''
      ? `${error.message}: ${cause.message}`
      : error.message
  }
  const { name, data } = (error ?? {}) as { name?: unknown; data?: { message?: unknown } }
  const said = [name, data?.message].filter((part) => typeof part === 'string' && part !== '')
  return said.length > 0 ? said.join(': ') : JSON.stringify(error ?? 'no reason given').slice(0, 300)
}
