import { decodeRecord, type LogRecord, NEWLINE, salvageLine } from '../record-line.js'

/** A good record as it stands in its file. */
export interface Line {
  /** Its bytes as latin1, newline excluded: equal texts are equal lines. */
  text: string
  record: LogRecord
  offset: number
}

/** What is no record: `torn` is what a killed writer leaves, `bad` looks whole but its checksum is wrong. */
export interface Junk {
  kind: 'torn' | 'bad'
  offset: number
  text: string
  /** The last good line before it. */
  after?: Line
}

export interface Scan {
  lines: Line[]
  junk: Junk[]
  /** Bytes behind the last newline: a writer may be at work there. */
  unfinishedBytes: number
}

/** Takes the bytes of a log file apart the way the fold reads them, but without stopping at a seal. */
export function scanLines(bytes: Buffer): Scan {
  const scan: Scan = { lines: [], junk: [], unfinishedBytes: 0 }
  let position = 0
  while (position < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, position)
    const end = newline < 0 ? bytes.length : newline
    const endsGood = scanLine(scan, bytes, position, end, newline >= 0)
    if (newline < 0 && !endsGood) scan.unfinishedBytes = end - position
    position = end + 1
  }
  return scan
}

/** @returns whether it ends with a good record */
function scanLine(scan: Scan, bytes: Buffer, start: number, end: number, isEnded: boolean): boolean {
  if (start === end) return true
  const record = decodeRecord(bytes, start, end)
  if (record !== undefined) {
    scan.lines.push({ text: bytes.toString('latin1', start, end), record, offset: start })
    return true
  }
  const salvaged = salvageLine(bytes, start, end)
  if (!isEnded && !salvaged.endsGood) return false
  for (const piece of salvaged.pieces) {
    const text = bytes.toString('latin1', start + piece.start, start + piece.end)
    const offset = start + piece.start
    if (piece.record !== undefined) scan.lines.push({ text, record: piece.record, offset })
    else scan.junk.push({ kind: piece.kind, offset, text, ...after(scan) })
  }
  return salvaged.endsGood
}

function after(scan: Scan): { after?: Line } {
  const last = scan.lines.at(-1)
  return last === undefined ? {} : { after: last }
}
