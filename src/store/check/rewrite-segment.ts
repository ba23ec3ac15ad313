import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { randomId } from '../../domain/ids.js'
import { syncDirectory, writeFully } from '../../system/atomic-write.js'
import { sealSegment } from '../appender.js'
import type { Stamp } from '../stamp.js'
import { isSeal } from './chain-verdicts.js'
import type { Repository } from './committed-files.js'
import { scanLines } from './scan-lines.js'

/**
 * Ends a segment, so that its content cannot change any more: whoever appends behind the seal meets it when reading back,
 * also in a file that it opened before, and writes again in the next segment. On return all before the seal is durable: only
 * then may it be copied.
 */
export function closeSegment(path: string, stamp: Stamp): void {
  if (!existsSync(path)) return
  const isSealed = scanLines(readFileSync(path)).lines.some(({ record }) => isSeal(record))
  if (!isSealed) sealSegment(path, stamp, true)
  const fd = openSync(path, 'r')
  try {
    fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Puts a whole new content in place of a file of the log, in one step. */
export function replaceLogFile({ paths, settings }: Repository, name: string, content: Buffer): void {
  const path = join(paths.log, name)
  const temporary = join(paths.log, `.repair-${randomId(settings.random.bytes(8), 8)}.tmp`)
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeFully(fd, content)
    fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
  settings.onStep('repair:before-rename')
  renameSync(temporary, path)
  settings.onStep('repair:after-rename')
  syncDirectory(dirname(path))
}

export function encodeLines(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\n`).join(''), 'latin1')
}
