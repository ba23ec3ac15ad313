import { closeSync, constants, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { encodeRecord } from '../../../src/store/record-line.js'

/** What dead writers, full disks and power cuts leave at the end of a file. None of it is a record. */
const KINDS: (() => Buffer)[] = [
  tornRecord,
  tornRecord,
  tornRecord,
  () => randomBytes(1 + below(200)),
  () => Buffer.concat([randomBytes(below(100)), Buffer.from('\n')]),
  () => Buffer.from('\n'.repeat(1 + below(3))),
  () => Buffer.from('{"t":"'),
  () => Buffer.alloc(1 + below(300)),
]

/** @returns false when there is no file to spoil */
export function appendGarbage(log: string): boolean {
  const newest = readdirSync(log)
    .filter((name) => /^.{5}-\d{6}\.jsonl$/.test(name))
    .sort()
    .at(-1)
  if (newest === undefined) return false
  let fd: number
  try {
    fd = openSync(join(log, newest), constants.O_WRONLY | constants.O_APPEND)
  } catch {
    // Compacted a moment ago.
    return false
  }
  writeSync(fd, (KINDS[below(KINDS.length)] ?? tornRecord)())
  closeSync(fd)
  return true
}

function record(): Buffer {
  const text = 'x'.repeat(below(300))
  return encodeRecord('2026-11-20T09:00:00.000Z-0000-aaaaa-aaaaaa', 'nobody', [
    { o: 'ev', type: 'never-written', data: { text } },
  ])
}

function tornRecord(): Buffer {
  const line = record()
  return line.subarray(0, 1 + below(line.length - 3))
}

function randomBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(256)))
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}
