import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChainFiles, segmentName } from './layout.js'
import { decodeRecord, type LogRecord, NEWLINE, salvageLine } from './record-line.js'

/**
 * The good records of one file in order, up to its seal: the same that the fold sees.
 * @throws ENOENT when compaction took the file meanwhile
 */
export function recordsIn(logDirectory: string, name: string): LogRecord[] {
  const bytes = readFileSync(join(logDirectory, name))
  const records: LogRecord[] = []
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline < 0 ? bytes.length : newline
    const record = decodeRecord(bytes, start, end)
    if (record !== undefined) records.push(record)
    else if (end > start) records.push(...salvageLine(bytes, start, end).records)
    start = end + 1
  }
  const seal = records.findIndex(({ ops }) => ops.some((op) => nameOf(op) === 'seal'))
  return seal < 0 ? records : records.slice(0, seal)
}

/** Files of a chain that count, in order: those of the newest base, then the segments behind it. */
export function filesInOrder(clone: string, files: ChainFiles): { name: string; isBase: boolean }[] {
  const base = files.bases.at(-1) ?? 0
  return [
    ...(files.baseFiles.get(base) ?? []).map((name) => ({ name, isBase: true })),
    ...files.segments
      .filter((number) => number > base)
      .map((number) => ({ name: segmentName(clone, number), isBase: false })),
  ]
}

export function nameOf(op: unknown): unknown {
  return typeof op === 'object' && op !== null && 'o' in op ? op.o : undefined
}
