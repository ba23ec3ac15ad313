import { UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import { parseDuration } from './parse-values.js'

/**
 * A moment in the past: "90m", "2h", "3d" before `nowMs`, or a time.
 * @returns ISO 8601, UTC
 */
export function parseSince(text: string | undefined, what: string, nowMs: number): string | undefined {
  return text === undefined ? undefined : parseMoment(text, what, nowMs, -1)
}

/** A moment to come: "90m", "2h", "3d" from `nowMs`, or a time. */
export function parseAhead(text: string, what: string, nowMs: number): string {
  return parseMoment(text, what, nowMs, 1)
}

function parseMoment(text: string, what: string, nowMs: number, direction: 1 | -1): string {
  const isSpan = /^[\d.]+[a-z]+$/.test(text)
  const moment = isSpan ? nowMs + direction * (parseDuration(text, what) ?? 0) : timeIn(text)
  if (Number.isFinite(moment) && Math.abs(moment) < MAX_TIME_MS) return new Date(moment).toISOString()
  throw new UsageError(`${what} "${printable(text)}" is neither a duration nor a time`, {
    code: 'bad-time',
    hint: 'like 90m, 2h, 3d or 2026-11-20T09:00Z',
  })
}

/** The year 9999 is the last that sorts as text. */
const MAX_TIME_MS = 253_402_300_800_000

/** Only the ISO form: everything else means different things to different people. */
function timeIn(text: string): number {
  return /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?$/.test(text) ? Date.parse(text) : Number.NaN
}
