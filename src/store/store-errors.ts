import { ConfigError, GtError, NotFoundError, OperationError } from '../domain/errors.js'
import { FORMAT } from './layout.js'
import { errorCode } from './segment-bytes.js'

/** EFBIG: a limit on file sizes (ulimit -f) stops a writer just like a full disk does. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const NOT_WRITABLE = new Set(['EROFS', 'EACCES', 'EPERM'])

export function diskFull(root: string, cause?: unknown): OperationError {
  return new OperationError(`disk full: nothing was recorded in ${root}`, {
    code: 'disk-full',
    hint: 'free some space and repeat the command',
    details: { path: root },
    cause,
  })
}

/** Errors of a write that recorded nothing, in our own words. Others pass through as they are. */
export function writeError(root: string, error: unknown): unknown {
  if (error instanceof GtError) return error
  const code = errorCode(error) ?? ''
  if (FULL.has(code)) return diskFull(root, error)
  if (NOT_WRITABLE.has(code)) {
    return new OperationError(`cannot write to ${root}: ${code}; nothing was recorded`, {
      code: 'store-not-writable',
      hint: 'check the owner and the mode of the directory, and that its disk is mounted for writing',
      details: { path: root, errno: code },
      cause: error,
    })
  }
  if (code === '') return error
  return new OperationError(`cannot write to ${root}: ${code}`, {
    code: 'store-io',
    details: { path: root, errno: code },
    cause: error,
  })
}

/** The files changed under the reader again and again, or cannot be what they say. */
export function unstable(root: string, cause: unknown): OperationError {
  return new OperationError(`${root}: the log keeps changing in ways it never should`, {
    code: 'log-unstable',
    hint: 'look for another program that writes there; gt status counts damaged lines',
    details: { path: root },
    cause,
  })
}

/** An error of the file system while reading, in our own words. Others pass through as they are. */
export function readError(root: string, error: unknown): unknown {
  const code = errorCode(error)
  if (error instanceof GtError || code === undefined) return error
  if (code === 'ENOENT') return noStore(root)
  return new OperationError(`cannot read ${root}: ${code}`, {
    code: 'store-not-readable',
    details: { path: root, errno: code },
    cause: error,
  })
}

/** The record is in the file but the disk did not confirm it. */
export function notDurable(root: string, error: unknown): OperationError {
  return new OperationError(
    `${root}: the disk did not confirm the write; it may or may not survive a power cut`,
    {
      code: 'store-not-durable',
      hint: 'look at the system log for disk errors',
      details: { path: root, errno: errorCode(error) },
      cause: error,
    },
  )
}

export function newerFormat(root: string, format: number): ConfigError {
  return new ConfigError(`${root} was written by a newer gt (format ${format}; this one writes ${FORMAT})`, {
    code: 'store-format',
    hint: 'update gt; reading still works',
    details: { path: root, format, supported: FORMAT },
  })
}

export function noStore(root: string): NotFoundError {
  return new NotFoundError(`no beads store at ${root}`, {
    code: 'no-store',
    details: { path: root },
  })
}
