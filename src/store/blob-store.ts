import { existsSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { Fields, Json, Op, PastOp } from '../domain/record.js'
import { syncDirectory, writeAtomically } from '../system/atomic-write.js'
import { blobRef } from './read-op.js'
import type { BlobRef, LogOp } from './record-line.js'
import { isMissing } from './segment-bytes.js'

/** Longer strings do not go into the log: every reader of a line pays for all of it. */
export const BLOB_LIMIT_BYTES = 64 * 1024

export interface BlobWriter {
  directory: string
  /** Unique characters for a temporary name. */
  unique: () => string
  isDurable: boolean
  onStep: (step: string) => void
}

/** What callers write, `past` already made an `st`. */
export type WritableOp = Exclude<LogOp, { o: 'set' }> | Exclude<Op, PastOp>

/** Moves long strings into blobs, durable before this returns, and leaves references in their place. */
export function writeBlobs(writer: BlobWriter, ops: readonly WritableOp[]): LogOp[] {
  return ops.map((op) => {
    switch (op.o) {
      case 'set': {
        const { b = [], ...rest } = op
        return { ...rest, f: withBlobs(writer, op.f, b) }
      }
      case 'new':
      case 'move':
        return { ...op, f: withBlobs(writer, op.f) }
      case 'ev':
        return { ...op, data: withBlobs(writer, op.data) }
      case 'say':
        return typeof op.x === 'string' && isLong(op.x) ? { ...op, x: writeBlob(writer, op.x) } : op
      case 'st':
        return stateWithBlobs(writer, op)
      default:
        return op
    }
  })
}

function withBlobs(writer: BlobWriter, fields: Fields, always: readonly string[] = []): Fields {
  let replaced: Fields | undefined
  for (const [field, value] of Object.entries(fields)) {
    if (typeof value !== 'string' || !(isLong(value) || always.includes(field))) continue
    replaced ??= { ...fields }
    replaced[field] = { ...writeBlob(writer, value) }
  }
  return replaced ?? fields
}

function stateWithBlobs(writer: BlobWriter, op: Extract<LogOp, { o: 'st' }>): LogOp {
  const reg = Object.entries(op.reg).map(([field, [place, value]]): [string, [number, Json]] => {
    const isBlob = typeof value === 'string' && isLong(value)
    return [field, [place, isBlob ? { ...writeBlob(writer, value) } : value]]
  })
  const say = op.say.map(([mark, by, text]): (typeof op.say)[number] => {
    return [mark, by, typeof text === 'string' && isLong(text) ? writeBlob(writer, text) : text]
  })
  return { ...op, reg: Object.fromEntries(reg), say }
}

function isLong(text: string): boolean {
  // UTF-8 takes at most three bytes per UTF-16 unit.
  return text.length * 3 > BLOB_LIMIT_BYTES && Buffer.byteLength(text) > BLOB_LIMIT_BYTES
}

function writeBlob(writer: BlobWriter, text: string): BlobRef {
  const name = nameOf(text)
  const path = join(writer.directory, name)
  if (existsSync(path)) {
    // It may be about to be collected as named by nobody.
    const now = new Date()
    utimesSync(path, now, now)
    // Whoever wrote it may not have flushed the name yet.
    if (writer.isDurable) syncDirectory(writer.directory)
    return { $blob: name }
  }
  writeAtomically(path, text, {
    temporary: join(writer.directory, `.tmp-${writer.unique()}`),
    durable: writer.isDurable,
    onStep: (step) => writer.onStep(`blob:${step}`),
  })
  return { $blob: name }
}

function nameOf(content: string | Buffer): string {
  // Loaded here, not at the top: it costs milliseconds, and only long texts need it.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(content).digest('hex')
}

/**
 * @returns the text; a note in its place when the file is missing, and before it when it is not what was written, so that one
 *   lost body hides nothing else
 */
export function readBlob(directory: string, name: string): string {
  try {
    const bytes = readFileSync(join(directory, name))
    const text = bytes.toString('utf8')
    return nameOf(bytes) === name ? text : `[text damaged: blob/${name} is not what was written]\n${text}`
  } catch (error) {
    if (isMissing(error)) return `[text missing: blob/${name}]`
    throw error
  }
}

/** The text of a comment, wherever it lies. */
export function blobText(directory: string, value: string | BlobRef): string {
  if (typeof value === 'string') return value
  const name = blobRef(value)
  return name === undefined ? '' : readBlob(directory, name)
}
