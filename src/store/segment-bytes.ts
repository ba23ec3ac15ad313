import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

export const GUARD_BYTES = 64

/** The files no longer match what was read before: compaction, sync or a hand changed them. Read everything again. */
export class LogChanged extends Error {}

export interface TailRequest {
  path: string
  offset: number
  /** Bytes that stood before `offset`; compared when anything is read. */
  guard: Buffer
  /** Already open descriptor of `path`. */
  fd?: number
}

/**
 * Reads a file from `offset` to its present end.
 * @throws LogChanged when the file is gone, shorter than `offset`, or other bytes stand before it
 */
export function readTail(request: TailRequest): Buffer {
  if (request.fd !== undefined) return readFrom(request.fd, request)
  let fd: number
  try {
    fd = openSync(request.path, 'r')
  } catch (error) {
    if (isMissing(error)) throw new LogChanged(`${request.path} is gone`)
    throw error
  }
  try {
    return readFrom(fd, request)
  } finally {
    closeSync(fd)
  }
}

function readFrom(fd: number, { path, offset, guard }: TailRequest): Buffer {
  const size = fstatSync(fd).size
  if (size < offset) throw new LogChanged(`${path} became shorter`)
  const start = offset - guard.length
  const bytes = readRange(fd, start, size - start)
  if (!bytes.subarray(0, guard.length).equals(guard)) throw new LogChanged(`${path} was replaced`)
  return bytes.subarray(guard.length)
}

/**
 * @param bytes - at least `length`; a buffer that is used again saves the kernel clearing a new one
 * @returns fewer bytes when the file ends first
 */
export function readRange(
  fd: number,
  position: number,
  length: number,
  bytes: Buffer = Buffer.allocUnsafeSlow(length),
): Buffer {
  let filled = 0
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return filled === bytes.length ? bytes : bytes.subarray(0, filled)
}

export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT'
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
