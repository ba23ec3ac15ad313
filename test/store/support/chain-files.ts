import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { baseName, segmentName } from '../../../src/store/layout.js'
import { encodeRecord, type LogOp } from '../../../src/store/record-line.js'

/** Time (ISO, ms) and ops of one record. */
export type Written = [time: string, ...ops: LogOp[]]

let serial = 0

/** One record as `clone` would have written it. */
export function recordLine(clone: string, [time, ...ops]: Written, by = `rig/${clone}`): Buffer {
  serial++
  return encodeRecord(`${time}-0000-${clone}-${serial.toString(16).padStart(6, '0')}`, by, ops)
}

/** Appends records to a segment of any clone, as sync would bring them. */
export function writeChain(log: string, clone: string, segment: number, records: readonly Written[]): void {
  for (const record of records)
    appendFileSync(join(log, segmentName(clone, segment)), recordLine(clone, record))
}

export function writeBase(log: string, clone: string, upTo: number, records: readonly Written[]): void {
  for (const record of records)
    appendFileSync(join(log, baseName(clone, upTo)), recordLine(clone, record, 'gt'))
}

/** Damage in the first record, as a bad sector leaves it. */
export function changeByte(path: string): void {
  const bytes = readFileSync(path)
  bytes[60] = (bytes[60] ?? 0) ^ 1
  writeFileSync(path, bytes)
}
