import { closeSync, constants, fdatasyncSync, fstatSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { syncDirectory } from '../system/atomic-write.js'
import type { Awaited } from './chain-reader.js'
import { FORMAT, listLog, type StorePaths, segmentName } from './layout.js'
import type { LogState } from './log-state.js'
import { encodeRecord, type LogOp, NEWLINE } from './record-line.js'
import { isMissing, readRange } from './segment-bytes.js'
import type { Stamp } from './stamp.js'
import { diskFull, notDurable, writeError } from './store-errors.js'
import type { StoreSettings } from './store-options.js'

/** While a segment is this short, every writer also flushes its predecessor and its name. */
const YOUNG_BYTES = 8 * 1024

/**
 * `void`: another writer was first, nothing of the record counts. `lost`: the line is behind a seal or not in the chain
 * at all and never will count; write again.
 */
export type AppendOutcome = 'recorded' | 'void' | 'lost'

export interface AppendRequest {
  clone: string
  /** For this record; a seal or a head gets one of its own from `nextStamp`. */
  stamp: Stamp
  nextStamp: () => Stamp
  by: string
  ops: readonly LogOp[]
  /** The line as it once stood, newline included, when a record is put back: what this version does not know stays in it. */
  line?: Buffer
}

/** The only code that writes to `log/`. No lock is taken: the order of lines in the file decides. */
export class Appender {
  readonly #paths: StorePaths
  readonly #log: LogState
  readonly #settings: StoreSettings

  constructor(paths: StorePaths, log: LogState, settings: StoreSettings) {
    this.#paths = paths
    this.#log = log
    this.#settings = settings
  }

  /**
   * Appends one record behind what `log` has read, and reads on until it knows what became of it.
   * Durable on return of `recorded`.
   *
   * @throws OperationError `disk-full`, `store-not-writable`, `store-io` (nothing recorded), `store-not-durable`
   */
  append(request: AppendRequest): AppendOutcome {
    const segment = this.#openSegment(request.clone)
    if (segment === undefined) return 'lost'
    try {
      const sizeBefore = this.#size(segment.fd)
      if (sizeBefore === 0 && !this.#prepareNewSegment(request.clone, segment.number)) return 'lost'
      this.#write(segment.fd, sizeBefore, request)
      const verdict = this.#readBack(request, segment)
      if (verdict === undefined) return 'lost'
      if (verdict === 'void') return 'void'
      this.#flush(request.clone, segment, sizeBefore)
      this.#sealWhenLong(request, segment.fd)
      return 'recorded'
    } finally {
      closeSync(segment.fd)
    }
  }

  /** A number is created only after the seal of the one before was read; else a compacted segment could come back. */
  #openSegment(clone: string): { fd: number; number: number } | undefined {
    const cursor = this.#log.cursor(clone)
    const isNew = cursor.sealed || cursor.segment === 0
    const number = isNew ? cursor.segment + 1 : cursor.segment
    const flags = constants.O_RDWR | constants.O_APPEND | (isNew ? constants.O_CREAT : 0)
    try {
      return { fd: openSync(this.#segmentPath(clone, number), flags, 0o600), number }
    } catch (error) {
      // Sealed, compacted and deleted since we looked.
      if (isMissing(error) && !isNew) return undefined
      throw writeError(this.#paths.root, error)
    }
  }

  /**
   * Before the first byte: the predecessor's seal and the new name must survive a power cut, or what is acknowledged
   * in the new file could vanish with it. And the number must not have been compacted away in the meantime.
   */
  #prepareNewSegment(clone: string, number: number): boolean {
    this.#settings.onStep('new-segment')
    const newestBase = listLog(this.#paths.log).get(clone)?.bases.at(-1) ?? 0
    if (newestBase >= number) return false
    this.#flushNeighbours(clone, number)
    return true
  }

  #write(fd: number, sizeBefore: number, request: AppendRequest): void {
    const line = request.line ?? encodeRecord(request.stamp, request.by, request.ops)
    const bytes = Buffer.concat([this.#prefix(fd, sizeBefore, request), line])
    this.#settings.onStep('before-write')
    let written: number
    try {
      written = writeSync(fd, bytes)
    } catch (error) {
      throw writeError(this.#paths.root, error)
    }
    this.#settings.onStep('after-write')
    // With only its newline missing the record is whole: readers take it, and the next writer ends the line.
    if (written < bytes.length - 1) throw diskFull(this.#paths.root)
  }

  #prefix(fd: number, sizeBefore: number, request: AppendRequest): Buffer {
    if (sizeBefore === 0) return encodeRecord(request.nextStamp(), 'gt', [{ o: 'head', format: FORMAT }])
    const isTorn = readRange(fd, sizeBefore - 1, 1)[0] !== NEWLINE
    return isTorn ? Buffer.from([NEWLINE]) : Buffer.alloc(0)
  }

  #readBack(request: AppendRequest, segment: { fd: number; number: number }): Awaited['verdict'] {
    const awaited: Awaited = { stamp: request.stamp }
    this.#log.readOwn(request.clone, segment.number, segment.fd, awaited)
    this.#settings.onStep('after-readback')
    return awaited.verdict
  }

  #flush(clone: string, segment: { fd: number; number: number }, sizeBefore: number): void {
    if (!this.#settings.isDurable) return
    this.#settings.onStep('before-sync')
    try {
      fdatasyncSync(segment.fd)
      if (sizeBefore < YOUNG_BYTES) this.#flushNeighbours(clone, segment.number)
    } catch (error) {
      throw notDurable(this.#paths.root, error)
    }
    this.#settings.onStep('after-sync')
  }

  #flushNeighbours(clone: string, number: number): void {
    if (!this.#settings.isDurable) return
    this.#flushSegment(clone, number - 1)
    syncDirectory(this.#paths.log)
  }

  #flushSegment(clone: string, number: number): void {
    let fd: number
    try {
      fd = openSync(this.#segmentPath(clone, number), 'r')
    } catch (error) {
      // The first one, or compacted into a base that was flushed before it got its name.
      if (isMissing(error)) return
      throw error
    }
    try {
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
  }

  /** Two writers may both seal: the second seal is void. A seal that does not fit on the disk is tried by the next. */
  #sealWhenLong(request: AppendRequest, fd: number): void {
    if (this.#log.cursor(request.clone).sealed || this.#size(fd) <= this.#settings.segmentLimitBytes) return
    this.#settings.onStep('before-seal')
    try {
      writeSync(fd, encodeRecord(request.nextStamp(), 'gt', [{ o: 'seal' }]))
      this.#settings.onStep('after-seal')
      if (this.#settings.isDurable) fdatasyncSync(fd)
    } catch {
      // The caller's record is safe; sealing is housekeeping.
    }
    this.#settings.onStep('after-seal-sync')
  }

  #size(fd: number): number {
    return fstatSync(fd).size
  }

  #segmentPath(clone: string, number: number): string {
    return join(this.#paths.log, segmentName(clone, number))
  }
}

/**
 * Closes a segment of the own chain that has a successor but no seal, as a power cut may leave it: a process that still
 * has it open must find that nothing counts there any more, before the file is deleted.
 */
export function sealSegment(path: string, stamp: Stamp, isDurable: boolean): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_APPEND)
  try {
    const size = fstatSync(fd).size
    const isTorn = size > 0 && readRange(fd, size - 1, 1)[0] !== NEWLINE
    const seal = encodeRecord(stamp, 'gt', [{ o: 'seal' }])
    writeSync(fd, isTorn ? Buffer.concat([Buffer.from([NEWLINE]), seal]) : seal)
    if (isDurable) fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
