import type { EntityKind, Fields } from '../domain/record.js'
import { crc32, hex32 } from '../system/crc32.js'
import type { PackedState } from './packed-state.js'
import { isStamp, type Stamp } from './stamp.js'

/** A string too long for the log: it lies in `blob/` under its SHA-256. */
export interface BlobRef {
  $blob: string
}

/** An op as it stands in the log. The domain's `Op`, plus what only the store itself writes. */
export type LogOp =
  | { o: 'new'; id: string; k: EntityKind; a?: number; f: Fields }
  | { o: 'set'; id: string; f: Fields }
  | { o: 'add' | 'del'; id: string; f: string; x: string[] }
  | { o: 'move'; id: string; gen: number; f: Fields }
  | { o: 'say'; id: string; x: string | BlobRef }
  /** `i`: its index in the record it first stood in, when compaction moved it. */
  | { o: 'ev'; type: string; data: Fields; i?: number }
  | { o: 'gone'; id: string }
  | { o: 'purge'; id: string; what: string }
  | { o: 'head'; format: number }
  | { o: 'seal' }
  | ({ o: 'st' } & Omit<PackedState, 'ch'>)
  | { o: 'base'; upto: number; n: number }

/** What a good line holds. Ops are not checked yet: a newer gt may have written kinds that are unknown here. */
export interface LogRecord {
  t: Stamp
  by: string
  ops: unknown[]
}

export const NEWLINE = 10
/** `,"c":"1a2b3c4d"}` */
const TAIL_LENGTH = 16
const TAIL = /,"c":"[0-9a-f]{8}"\}/g
const START = '{"t":"'

/** @returns the line with its newline */
export function encodeRecord(t: Stamp, by: string, ops: readonly LogOp[]): Buffer {
  const body = JSON.stringify({ t, by, ops })
  const crc = hex32(crc32(Buffer.from(body, 'utf8')))
  return Buffer.from(`${body.slice(0, -1)},"c":"${crc}"}\n`, 'utf8')
}

/** A good record as its line stands in a file, without the newline. */
export function encodedLine({ t, by, ops }: LogRecord): string {
  // What was parsed from a line of ours is written the same way again; only the order of t, by, ops is fixed.
  return encodeRecord(t, by, ops as LogOp[]).toString('utf8', 0, -1)
}

/** @returns undefined when bytes `start` to `end` (newline excluded) are not exactly one good record */
export function decodeRecord(bytes: Buffer, start: number, end: number): LogRecord | undefined {
  const bodyEnd = end - TAIL_LENGTH
  if (bodyEnd <= start) return undefined
  const written = writtenCrc(bytes, bodyEnd)
  if (written < 0 || crc32(CLOSING_BRACE, 0, 1, crc32(bytes, start, bodyEnd)) !== written) return undefined
  return recordFrom(bytes.toString('utf8', start, end))
}

const CLOSING_BRACE = Buffer.from('}')
/** The tail with a placeholder for each digit. */
const TAIL_FORM = Buffer.from(',"c":"________"}')
const PLACEHOLDER = 95

/** The checksum that the tail at `start` holds; -1 when it is no tail. Byte by byte: this runs for every line of a fold. */
function writtenCrc(bytes: Buffer, start: number): number {
  let crc = 0
  for (let i = 0; i < TAIL_LENGTH; i++) {
    const byte = bytes[start + i] ?? 0
    if (TAIL_FORM[i] !== PLACEHOLDER) {
      if (byte !== TAIL_FORM[i]) return -1
      continue
    }
    const digit = hexDigit(byte)
    if (digit < 0) return -1
    crc = crc * 16 + digit
  }
  return crc
}

/** Lower case only, as written; -1 for anything else. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  return byte >= 97 && byte <= 102 ? byte - 87 : -1
}

function recordFrom(line: string): LogRecord | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const record = parsed as Record<string, unknown>
  if (!isStamp(record.t) || typeof record.by !== 'string' || !Array.isArray(record.ops)) return undefined
  return { t: record.t, by: record.by, ops: record.ops }
}

export interface Salvaged {
  records: LogRecord[]
  /** Pieces of records whose end was never written. */
  torn: number
  /** Pieces that look whole but whose checksum is wrong: bit rot, or a hand. */
  bad: number
  /** Whether the last byte belongs to a good record. */
  endsGood: boolean
  /** All of the line in order; places are relative to its start. */
  pieces: Piece[]
}

export type Piece =
  | { kind: 'record'; start: number; end: number; record: LogRecord }
  | { kind: 'torn' | 'bad'; start: number; end: number; record?: undefined }

/**
 * Takes a line that is not one good record apart: a writer that died in the middle of its line, or a full disk, glues
 * the next record to the torn piece. Every start and every possible end is tried, first fit wins, so that the outcome
 * is the same whether the line was first seen without its last part or not.
 */
export function salvageLine(bytes: Buffer, start: number, end: number): Salvaged {
  const text = bytes.toString('latin1', start, end)
  const ends: number[] = []
  for (const match of text.matchAll(TAIL)) ends.push(match.index + TAIL_LENGTH)
  const found: Salvaged = { records: [], torn: 0, bad: 0, endsGood: false, pieces: [] }
  let position = 0
  while (position < text.length) {
    const piece = firstGood(bytes, start, text, position, ends)
    const junkEnd = piece === undefined ? text.length : piece.start
    if (junkEnd > position) addJunk(found, text, position, junkEnd)
    if (piece === undefined) break
    found.records.push(piece.record)
    found.pieces.push({ kind: 'record', ...piece })
    position = piece.end
    found.endsGood = position === text.length
  }
  return found
}

function firstGood(bytes: Buffer, offset: number, text: string, from: number, ends: readonly number[]) {
  for (let start = text.indexOf(START, from); start >= 0; start = text.indexOf(START, start + 1)) {
    for (const end of ends) {
      if (end <= start) continue
      const record = decodeRecord(bytes, offset + start, offset + end)
      if (record !== undefined) return { record, start, end }
    }
  }
  return undefined
}

function addJunk(found: Salvaged, text: string, start: number, end: number): void {
  const junk = text.slice(start, end)
  const looksWhole = junk.startsWith(START) && junk.slice(-TAIL_LENGTH).search(TAIL) === 0
  if (looksWhole) found.bad++
  else found.torn++
  found.pieces.push({ kind: looksWhole ? 'bad' : 'torn', start, end })
}
