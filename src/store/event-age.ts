import type { Stamp } from './stamp.js'

const DAY_MS = 86_400_000
/** How long events are shown. They are a feed: what must last is in entities. */
export const EVENTS_KEPT_MS = 14 * DAY_MS
/**
 * How much longer they lie in files. Readers decide by their own clock, so what compaction drops must be out of sight for a
 * reader whose clock is behind.
 */
const MARGIN_MS = DAY_MS

/**
 * What is shown starts here. Counted from the newest record: a clock that runs years ahead for a day must not empty the
 * feed, and a town that rested for a month still says how it ended.
 *
 * @param greatest - latest stamp of the log
 */
export function eventsShownFrom(nowMs: number, greatest: Stamp): string {
  return new Date(newest(nowMs, greatest) - EVENTS_KEPT_MS).toISOString()
}

/** What is kept in a new base or snapshot starts here. */
export function eventsKeptFrom(nowMs: number, greatest: Stamp): string {
  return new Date(newest(nowMs, greatest) - EVENTS_KEPT_MS - MARGIN_MS).toISOString()
}

function newest(nowMs: number, greatest: Stamp): number {
  return greatest === '' ? nowMs : Math.min(nowMs, Date.parse(greatest.slice(0, 24)))
}
