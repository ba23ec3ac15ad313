import { decodeRecord, encodedLine, type LogRecord, NEWLINE, salvageLine } from '../record-line.js'

/** What the lines of a file of the log are, without folding them. */
export interface LogScan {
  /** Records with something to say: heads, seals and trailers do not count. */
  records: number
  torn: number
  bad: number
  /** Greatest format of any head; 0: none. */
  format: number
  /** Compacted entities. */
  states: number
  /** Trailer of a base file. */
  trailer?: { upto: number; n: number }
  isSealed: boolean
}

/**
 * Takes `bytes` apart the way the fold does, up to a seal.
 * @param onRecord - gets each good record that has something to say, with the line as it stands in the file (without newline)
 */
export function scanLog(
  bytes: Buffer,
  onRecord: (record: LogRecord, line: string) => void = () => {},
): LogScan {
  const scan: LogScan = { records: 0, torn: 0, bad: 0, format: 0, states: 0, isSealed: false }
  for (let position = 0; position < bytes.length && !scan.isSealed; ) {
    const newline = bytes.indexOf(NEWLINE, position)
    const end = newline < 0 ? bytes.length : newline
    scanLine(scan, bytes.subarray(position, end), newline >= 0, onRecord)
    position = end + 1
  }
  return scan
}

function scanLine(
  scan: LogScan,
  line: Buffer,
  isEnded: boolean,
  onRecord: (record: LogRecord, line: string) => void,
): void {
  if (line.length === 0) return
  const record = decodeRecord(line, 0, line.length)
  if (record !== undefined) {
    if (note(scan, record)) onRecord(record, line.toString('utf8'))
    return
  }
  const salvaged = salvageLine(line, 0, line.length)
  // A last line without its newline is still being written.
  if (!isEnded && !salvaged.endsGood) return
  scan.torn += salvaged.torn
  scan.bad += salvaged.bad
  for (const found of salvaged.records) {
    if (scan.isSealed) return
    if (note(scan, found)) onRecord(found, encodedLine(found))
  }
}

/** @returns whether it is more than a head, a seal or a trailer */
function note(scan: LogScan, record: LogRecord): boolean {
  let isRecord = false
  for (const op of record.ops) {
    const { o, format, upto, n } = (op ?? {}) as {
      o?: unknown
      format?: unknown
      upto?: unknown
      n?: unknown
    }
    if (o === 'head') scan.format = Math.max(scan.format, typeof format === 'number' ? format : 0)
    else if (o === 'seal') scan.isSealed = true
    else if (o === 'base') {
      if (typeof upto === 'number' && typeof n === 'number') scan.trailer = { upto, n }
    } else {
      isRecord = true
      if (o === 'st') scan.states++
    }
  }
  if (isRecord) scan.records++
  return isRecord
}
