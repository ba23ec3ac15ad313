import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface AtomicWriteOptions {
  /** Name of the temporary file: same folder, not used by anyone else. */
  temporary: string
  mode?: number
  /** Flush the file before the rename and the folder after it. Default true. */
  durable?: boolean
  onStep?: ((step: string) => void) | undefined
}

/**
 * Replaces `path` in one step: readers see the old content or the new one, whole.
 * @throws the file system's own error; the temporary file is gone then
 */
export function writeAtomically(
  path: string,
  content: string | Uint8Array,
  options: AtomicWriteOptions,
): void {
  const durable = options.durable ?? true
  try {
    const fd = openSync(options.temporary, 'wx', options.mode ?? 0o600)
    try {
      writeFully(fd, content)
      options.onStep?.('temporary-written')
      if (durable) fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
    options.onStep?.('before-rename')
    renameSync(options.temporary, path)
  } catch (error) {
    rmSync(options.temporary, { force: true })
    throw error
  }
  options.onStep?.('after-rename')
  if (durable) syncDirectory(dirname(path))
}

/** A short write of a regular file means the disk is filling up; the next write says so by throwing. */
export function writeFully(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written)
}

/** Makes names that were created, renamed or deleted in `path` survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
