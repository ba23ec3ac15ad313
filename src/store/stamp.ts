import { CLONE_PATTERN } from './layout.js'

/**
 * `2026-11-20T09:36:20.238Z-0000-k7f3q-fh5b2x`: ISO time with ms, hex counter, clone, 6 random characters.
 * Time stamp and record id at once; fixed width, so string order is time order.
 */
export type Stamp = string

const STAMP = new RegExp(
  `^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z-[0-9a-f]{4}-${CLONE_PATTERN}-[0-9a-hjkmnp-tv-z]{6}$`,
)
/** Where the clone id stands in a stamp. */
export const STAMP_CLONE_AT = 30
const TIME_LENGTH = 24
/** Time and counter, the part that a later stamp must exceed. */
const ORDER_LENGTH = 29
const MAX_COUNTER = 0xffff

/**
 * How far ahead of our clock a stamp may lie and still pull ours along. Beyond it (a clock once set to 2099) only the
 * fields that were written with it must be exceeded, not everything that follows.
 */
export const MAX_LEAD_MS = 3_600_000

export function isStamp(text: unknown): text is Stamp {
  return typeof text === 'string' && text.length === 42 && STAMP.test(text)
}

/** ISO 8601, UTC. */
export function stampTime(stamp: Stamp): string {
  return stamp.slice(0, TIME_LENGTH)
}

export function stampMs(stamp: Stamp): number {
  return Date.parse(stampTime(stamp))
}

/** Greater than this in string order means: more than MAX_LEAD_MS ahead of `nowMs`. */
export function stampHorizon(nowMs: number): string {
  return `${new Date(nowMs + MAX_LEAD_MS).toISOString()}-ffff~`
}

export interface NextStamp {
  nowMs: number
  /** Greatest stamp seen so far within the horizon, or ''. */
  greatest: Stamp
  /** Greatest stamp among the registers about to be overwritten, or ''. */
  floor: Stamp
  clone: string
  /** 6 characters. */
  random: string
}

/** A stamp greater than both `greatest` and `floor`, and not before now. */
export function nextStamp(wanted: NextStamp): Stamp {
  const greatest = wanted.greatest > stampHorizon(wanted.nowMs) ? '' : wanted.greatest
  const past = later(greatest, wanted.floor).slice(0, ORDER_LENGTH)
  const now = `${new Date(wanted.nowMs).toISOString()}-0000`
  const order = now > past ? now : following(past)
  return `${order}-${wanted.clone}-${wanted.random}`
}

function later(a: Stamp, b: Stamp): Stamp {
  if (a < b) return b
  return a
}

function following(order: string): string {
  const counter = Number.parseInt(order.slice(TIME_LENGTH + 1), 16) + 1
  const ms = Date.parse(order.slice(0, TIME_LENGTH))
  if (counter > MAX_COUNTER) return `${new Date(ms + 1).toISOString()}-0000`
  return `${order.slice(0, TIME_LENGTH)}-${counter.toString(16).padStart(4, '0')}`
}

/** Names one op of one record: sorts by stamp, then by place in the record. */
export function markOf(stamp: Stamp, index: number): string {
  return `${stamp}.${index.toString(16).padStart(4, '0')}`
}
