import { ExternalError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { Runtime, SubmitProfile } from '../../domain/runtime.js'

/** What any process must know to type into a session; kept as an option of its pane. */
export interface TypingProfile {
  submit: SubmitProfile
  busyMarker: string
}

const FORMAT_VERSION = 1

export function encodeProfile(runtime: Runtime): string {
  const { submit, busyMarker } = runtime
  return JSON.stringify({ formatVersion: FORMAT_VERSION, submit, busyMarker })
}

/**
 * Checked by hand: this runs before every text that is sent, also by commands that load no zod otherwise.
 *
 * @throws ExternalError `bad-typing-profile`
 */
export function decodeProfile(agent: AgentId, text: string): TypingProfile {
  const stored = parse(text)
  const submit = stored?.submit
  if (
    stored?.formatVersion === FORMAT_VERSION &&
    typeof stored.busyMarker === 'string' &&
    typeof submit?.enterDelayMs === 'number' &&
    typeof submit.prefix === 'string' &&
    typeof submit.suffix === 'string' &&
    typeof submit.maxBytes === 'number' &&
    Array.isArray(submit.interruptKeys) &&
    typeof submit.exitCommand === 'string'
  ) {
    return { submit: submit as SubmitProfile, busyMarker: stored.busyMarker } // each field was looked at above
  }
  const version = stored?.formatVersion
  throw new ExternalError(`the session of ${agent} was started by another version of gt`, {
    code: 'bad-typing-profile',
    hint: `gt agent stop ${agent}, then gt agent resume ${agent}`,
    details: { agent, formatVersion: version, expected: FORMAT_VERSION },
  })
}

interface Stored {
  formatVersion?: unknown
  busyMarker?: unknown
  submit?: Partial<Record<keyof SubmitProfile, unknown>>
}

function parse(text: string): Stored | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
