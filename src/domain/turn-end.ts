import type { Fields, Json } from './record.js'

/**
 * What a plugin says of a model that did not answer as it should, put into words and states. A turn that broke leaves its
 * program running: that is `broken`, shown as failed, and the next prompt goes on.
 */

export interface TurnError {
  kind: 'aborted' | 'overflow' | 'other'
  reason: string
}

export function readError(data: Fields): TurnError {
  const name = typeof data.name === 'string' ? data.name : 'Error'
  const status = typeof data.status === 'number' ? data.status : undefined
  const message = plainMessage(data.message)
  const said = message === '' ? name : message
  if (name === 'MessageAbortedError') return { kind: 'aborted', reason: 'interrupted' }
  if (name === 'ContextOverflowError') return { kind: 'overflow', reason: `context overflow: ${said}` }
  const number = status === undefined ? '' : ` (${status})`
  const what =
    name === 'ProviderAuthError' || status === 401 || status === 403
      ? 'no access to the model'
      : status === 429
        ? 'rate limit'
        : status !== undefined && status >= 500
          ? "the model's server failed"
          : name === 'APIError'
            ? 'model error'
            : name
  return { kind: 'other', reason: `${what}${number}: ${said}` }
}

/** Registers of a session whose turn has ended. */
export function endedTurn(data: Fields, at: string): Fields {
  const enter = (state: string, reason: string | null) => ({
    state,
    state_at: at,
    reason,
  })
  if (typeof data.error === 'object' && data.error !== null && !Array.isArray(data.error)) {
    const error = readError(data.error)
    if (error.kind === 'aborted') return enter('idle', error.reason)
    return { ...enter('broken', error.reason), last_error: error.reason }
  }
  return enter(
    'idle',
    data.finish === 'length' ? 'its answer was cut off at the output limit of the model' : null,
  )
}

/** A provider that says "come back later than this" has parked the agent; shorter waits are part of working. */
const LIMITED_AFTER_MS = 60_000
/** A Date holds nothing later (ECMAScript, time range). */
const LATEST_DATE_MS = 8.64e15
/** Of the retry opencode gives only the words. */
const RATE_LIMIT =
  /\b429\b|rate.?limit|too many requests|quota|usage limit|insufficient.{0,3}(credit|balance|funds)/i

/** @returns `until` when a limit of the provider is what is waited for */
export function readRetry(data: Fields, now: string): { reason: string; until?: string } {
  const next = Number(data.next)
  const isTime = Number.isFinite(next) && Math.abs(next) <= LATEST_DATE_MS
  const message = plainMessage(data.message)
  const isFar = isTime && next - Date.parse(now) > LIMITED_AFTER_MS
  if (isTime && (isFar || RATE_LIMIT.test(message))) {
    const until = new Date(next).toISOString()
    return { reason: `until ${until}: ${message}`, until }
  }
  const attempt = typeof data.attempt === 'number' ? ` (try ${data.attempt})` : ''
  return { reason: `retrying${attempt}: ${message}` }
}

/** Providers put the words into an object, and that into a text. */
export function plainMessage(value: Json | undefined): string {
  if (typeof value !== 'string') return ''
  let text = value
  try {
    const parsed: unknown = JSON.parse(value)
    const error = isObject(parsed) && isObject(parsed.error) ? parsed.error : parsed
    if (isObject(error) && typeof error.message === 'string') text = error.message
  } catch {
    // It was plain already.
  }
  return text.replace(/\s+/g, ' ').trim().slice(0, 300)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
