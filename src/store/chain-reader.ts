import { join } from 'node:path'
import { advanceCursor, type ChainCursor, enterSegment } from './chain-cursor.js'
import type { EntityTable } from './entity-table.js'
import { applyRecord, type Verdict } from './fold.js'
import { type ChainFiles, segmentName } from './layout.js'
import { decodeRecord, type LogRecord, NEWLINE, salvageLine } from './record-line.js'
import { LogChanged, readTail } from './segment-bytes.js'
import type { Stamp } from './stamp.js'

/** The record a writer waits to see in its own file. */
export interface Awaited {
  stamp: Stamp
  verdict?: Verdict
}

export interface ReadTarget {
  logDirectory: string
  table: EntityTable
  awaited?: Awaited
}

/**
 * Reads everything that `files` has beyond the cursor.
 * @returns bytes read
 * @throws LogChanged when the files do not continue what the cursor has read
 */
export function advanceChain(target: ReadTarget, cursor: ChainCursor, files: ChainFiles): number {
  let count = enterBase(target, cursor, files)
  if (files.segments.some((number) => number > cursor.base && isInGap(cursor, number))) {
    throw new LogChanged(`a missing segment of ${cursor.clone} is back`)
  }
  if (cursor.segment > cursor.base) count += readSegment(target, cursor)
  for (const number of files.segments) {
    if (number <= cursor.segment) continue
    leaveSegment(target, cursor, number)
    enterSegment(cursor, number)
    count += readSegment(target, cursor)
  }
  return count
}

/** The newest base counts as read when all that it covers was read from its segments. */
function enterBase(target: ReadTarget, cursor: ChainCursor, files: ChainFiles): number {
  const newest = files.bases.at(-1) ?? 0
  if (newest <= cursor.base) return 0
  if (cursor.segment === 0) return readBase(target, cursor, newest, files.baseFiles.get(newest) ?? [])
  const hasRead = cursor.segment > newest || (cursor.segment === newest && cursor.sealed)
  // What was missing in between is in the base.
  const hasGap = cursor.gaps.some(([from]) => from <= newest)
  if (!hasRead || hasGap) throw new LogChanged(`a base of ${cursor.clone} covers segments that were not read`)
  cursor.base = newest
  return 0
}

/**
 * Reads base `number` of a chain of which nothing was read yet.
 * @param names - its files, the one with the trailer last
 */
export function readBase(
  target: ReadTarget,
  cursor: ChainCursor,
  number: number,
  names: readonly string[],
): number {
  let length = 0
  let states = 0
  let announced = -1
  for (const name of names) {
    const path = join(target.logDirectory, name)
    const bytes = readTail({ path, offset: 0, guard: Buffer.alloc(0) })
    foldLines(target, cursor, bytes, (record) => {
      for (const op of record.ops) {
        const o = opName(op)
        if (o === 'st') states++
        if (o === 'base') announced = trailerCount(op)
      }
    })
    length += bytes.length
  }
  if (states !== announced) target.table.damage.badLines++
  enterSegment(cursor, number)
  cursor.base = number
  cursor.sealed = true
  return length
}

function opName(op: unknown): unknown {
  return typeof op === 'object' && op !== null && 'o' in op ? op.o : undefined
}

function trailerCount(op: unknown): number {
  return typeof op === 'object' && op !== null && 'n' in op && typeof op.n === 'number' ? op.n : -1
}

function isInGap(cursor: ChainCursor, number: number): boolean {
  return cursor.gaps.some(([from, to]) => number >= from && number <= to)
}

/** A later segment closes this one, seal or not: a power cut may have taken the seal. */
function leaveSegment(target: ReadTarget, cursor: ChainCursor, next: number): void {
  if (cursor.segment > cursor.base && !cursor.sealed) {
    const path = join(target.logDirectory, segmentName(cursor.clone, cursor.segment))
    const rest = readTail({ path, offset: cursor.offset, guard: cursor.guard })
    if (rest.length > 0) target.table.damage.tornLines++
  }
  if (next > cursor.segment + 1) {
    cursor.gaps.push([cursor.segment + 1, next - 1])
    target.table.damage.badLines++
  }
}

/**
 * Reads the current segment from the cursor to its end or its seal. An unfinished last line stays unread, unless its
 * record is whole and only the newline is missing.
 *
 * @returns bytes read
 */
export function readSegment(target: ReadTarget, cursor: ChainCursor, fd?: number): number {
  const path = join(target.logDirectory, segmentName(cursor.clone, cursor.segment))
  if (cursor.sealed && cursor.isVerified) return 0
  const request = { path, offset: cursor.offset, guard: cursor.guard, ...(fd === undefined ? {} : { fd }) }
  const bytes = readTail(request)
  cursor.isVerified = true
  if (bytes.length === 0 || cursor.sealed) return 0
  const consumed = foldLines(target, cursor, bytes)
  advanceCursor(cursor, bytes.subarray(0, consumed))
  return consumed
}

/** @returns bytes folded: whole lines, up to the seal when there is one */
function foldLines(
  target: ReadTarget,
  cursor: ChainCursor,
  bytes: Buffer,
  onRecord?: (record: LogRecord) => void,
): number {
  let position = 0
  while (position < bytes.length && !cursor.sealed) {
    const newline = bytes.indexOf(NEWLINE, position)
    const end = newline < 0 ? bytes.length : newline
    const isWhole = foldLine(target, cursor, bytes.subarray(position, end), newline >= 0, onRecord)
    if (!isWhole) break
    position = newline < 0 ? end : end + 1
  }
  return position
}

/** @returns false when the line is unfinished: it will be read again when there is more of it */
function foldLine(
  target: ReadTarget,
  cursor: ChainCursor,
  line: Buffer,
  isEnded: boolean,
  onRecord: ((record: LogRecord) => void) | undefined,
): boolean {
  if (line.length === 0) return true
  const record = decodeRecord(line, 0, line.length)
  if (record !== undefined) {
    foldRecord(target, cursor, record, onRecord)
    return true
  }
  const salvaged = salvageLine(line, 0, line.length)
  if (!isEnded && !salvaged.endsGood) return false
  target.table.damage.tornLines += salvaged.torn
  target.table.damage.badLines += salvaged.bad
  for (const found of salvaged.records) {
    if (cursor.sealed) break
    foldRecord(target, cursor, found, onRecord)
  }
  return true
}

function foldRecord(
  target: ReadTarget,
  cursor: ChainCursor,
  record: LogRecord,
  onRecord: ((record: LogRecord) => void) | undefined,
): void {
  onRecord?.(record)
  const verdict = applyRecord(target.table, cursor.clone, record)
  if (verdict === 'sealed') cursor.sealed = true
  const { awaited } = target
  // The first line with this stamp decides: a second copy is void or changes nothing.
  if (awaited !== undefined && awaited.verdict === undefined && record.t === awaited.stamp)
    awaited.verdict = verdict
}
