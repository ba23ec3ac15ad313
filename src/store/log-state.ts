import { type ChainCursor, enterSegment, loadCursor, newCursor } from './chain-cursor.js'
import { type Awaited, advanceChain, readSegment } from './chain-reader.js'
import { EntityTable } from './entity-table.js'
import { type ChainFiles, listLog, type StorePaths } from './layout.js'
import { readEpoch } from './log-epoch.js'
import { LogChanged } from './segment-bytes.js'
import { Snapshot, SnapshotDamaged } from './snapshot.js'
import { unstable } from './store-errors.js'

/** Compaction and sync may change files under a reader; more often than this in a row means something is broken. */
const MAX_RESTARTS = 8

/** The state of the store in this process, brought up to date on demand. */
export class LogState {
  readonly #paths: StorePaths
  readonly #newTable: (snapshot: Snapshot | undefined) => EntityTable
  #table: EntityTable
  #chains = new Map<string, ChainCursor>()
  #isLoaded = false
  #epoch = ''
  /** Bytes of log that a new process would have to read beyond the snapshot. */
  #tailBytes = 0

  constructor(paths: StorePaths, now: () => number, archiveAfterMs?: number) {
    this.#paths = paths
    this.#newTable = (snapshot) => new EntityTable(snapshot, now, archiveAfterMs)
    this.#table = this.#newTable(undefined)
  }

  get table(): EntityTable {
    return this.#table
  }

  get tailBytes(): number {
    return this.#tailBytes
  }

  /** What `readEpoch` said when this state was begun. */
  get epoch(): string {
    return this.#epoch
  }

  get chains(): ReadonlyMap<string, ChainCursor> {
    return this.#chains
  }

  /** Folds in everything that any process has appended so far. */
  refresh(): void {
    this.#bringUpToDate(true)
  }

  #bringUpToDate(mayUseSnapshot: boolean, awaited?: Awaited): void {
    for (let restarts = 0; ; restarts++) {
      try {
        if (!this.#isLoaded) this.#load(mayUseSnapshot && restarts === 0)
        this.#advance(awaited)
        return
      } catch (error) {
        if (!isStale(error)) throw error
        if (restarts >= MAX_RESTARTS) throw unstable(this.#paths.root, error)
        this.#isLoaded = false
      }
    }
  }

  /** Runs a query; when the cache turns out to be damaged, once more on a state made from the log alone. */
  query<T>(read: (table: EntityTable) => T): T {
    try {
      return read(this.#table)
    } catch (error) {
      if (!(error instanceof SnapshotDamaged)) throw error
      this.#isLoaded = false
      this.#bringUpToDate(false)
      return read(this.#table)
    }
  }

  /** Reads the own segment that was just written, through the writer's descriptor. */
  readOwn(clone: string, segment: number, fd: number, awaited: Awaited): void {
    const cursor = this.cursor(clone)
    if (cursor.segment !== segment) enterSegment(cursor, segment)
    const target = { logDirectory: this.#paths.log, table: this.#table, awaited }
    try {
      this.#tailBytes += readSegment(target, cursor, fd)
    } catch (error) {
      if (!isStale(error)) throw error
      // The record is written; what became of it must be known, so everything is read.
      this.#isLoaded = false
      this.#bringUpToDate(false, awaited)
    }
  }

  cursor(clone: string): ChainCursor {
    let cursor = this.#chains.get(clone)
    if (cursor === undefined) {
      cursor = newCursor(clone)
      this.#chains.set(clone, cursor)
    }
    return cursor
  }

  /** A snapshot of this state was written: like a new process, this one goes on from there, with nothing in memory. */
  noteSnapshotWritten(): void {
    this.#tailBytes = 0
    this.#isLoaded = false
  }

  close(): void {
    this.#table.close()
    this.#isLoaded = false
    this.#chains = new Map()
    this.#table = this.#newTable(undefined)
  }

  #load(useSnapshot: boolean): void {
    this.close()
    this.#tailBytes = 0
    // Before the first byte of the log: what is replaced while we read makes us read again.
    this.#epoch = readEpoch(this.#paths)
    const snapshot = useSnapshot ? Snapshot.open(this.#paths.snapshot) : undefined
    if (snapshot !== undefined) this.#adopt(snapshot)
    this.#isLoaded = true
  }

  #adopt(snapshot: Snapshot): void {
    try {
      if ((snapshot.meta.epoch ?? '') !== this.#epoch)
        throw new LogChanged('the snapshot is of another epoch')
      this.#table = this.#newTable(snapshot)
      for (const saved of snapshot.meta.chains) this.#chains.set(saved.clone, loadCursor(saved))
    } catch (error) {
      snapshot.close()
      throw error
    }
  }

  #advance(awaited?: Awaited): void {
    if (readEpoch(this.#paths) !== this.#epoch) throw new LogChanged('the log was repaired')
    const listing = this.#list()
    for (const clone of this.#chains.keys()) {
      if (!listing.has(clone)) throw new LogChanged(`all files of ${clone} are gone`)
    }
    const target = { logDirectory: this.#paths.log, table: this.#table, ...(awaited && { awaited }) }
    for (const [clone, files] of listing) {
      this.#tailBytes += advanceChain(target, this.cursor(clone), files)
    }
  }

  /**
   * A directory of many names is not read in one moment: a listing may lack both the segments that a compaction deleted
   * and the base that it named before. A second one, begun later, has the base.
   */
  #list(): Map<string, ChainFiles> {
    const listing = listLog(this.#paths.log)
    if (this.#chains.size === 0) return listLog(this.#paths.log)
    for (const [clone, files] of listing) {
      if (lacksSegments(files, this.#chains.get(clone))) return listLog(this.#paths.log)
    }
    return listing
  }
}

/** Whether segments are missing that the cursor does not know as missing. */
function lacksSegments({ segments, bases }: ChainFiles, cursor: ChainCursor | undefined): boolean {
  let last = Math.max(bases.at(-1) ?? 0, cursor?.segment ?? 0)
  for (const number of segments) {
    if (number > last + 1) return true
    if (number > last) last = number
  }
  return false
}

function isStale(error: unknown): boolean {
  return error instanceof LogChanged || error instanceof SnapshotDamaged
}
