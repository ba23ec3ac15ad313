import { existsSync, statSync } from 'node:fs'
import { ConflictError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import type { Decision, Ledger, View } from '../ports/ledger.js'
import { Appender } from './appender.js'
import { type BlobWriter, type WritableOp, writeBlobs } from './blob-store.js'
import { checkOps, floorStamp } from './check-ops.js'
import { type CloneIdentity, ownIdentity, readIdentity } from './clone-identity.js'
import { FORMAT, type StorePaths, storePaths } from './layout.js'
import { LogState } from './log-state.js'
import { pastState } from './past-state.js'
import type { LogOp } from './record-line.js'
import { errorCode } from './segment-bytes.js'
import { writeSnapshot } from './snapshot-writer.js'
import { nextStamp, type Stamp } from './stamp.js'
import { newerFormat, noStore, readError, writeError } from './store-errors.js'
import { type StoreOptions, type StoreSettings, storeSettings } from './store-options.js'
import { StoreView } from './store-view.js'
import { lostFiles, uncommittedForMs } from './uncommitted.js'
import { watchLog } from './watch-log.js'

/**
 * How long a tail a command leaves to the next one, rather than make a person wait for a new snapshot: each reader pays for
 * the tail (about 1 ms for 8 KiB), each new snapshot for everything that is in it.
 */
const TAIL_PART_OF_SNAPSHOT = 1 / 16
const MIN_TAIL_BYTES = 32 * 1024
const MAX_TAIL_BYTES = 256 * 1024
const MAX_VOID = 50
/** Sealing by others is no contention about the entity, but must end some time. */
const MAX_LOST = 1000

/** A `Ledger` whose open cache file can be given back. */
export interface StoreLedger extends Ledger {
  /** Id that this directory writes under; undefined before its first write. */
  readonly clone: string | undefined
  /** Closes the snapshot file; views end. The ledger stays usable and opens it again when needed. */
  close(): void
}

/**
 * Opens the store in `dir` (the `.beads` directory itself). Reads nothing yet.
 * @throws NotFoundError code `no-store`
 */
export function openLedger(dir: string, options: StoreOptions = {}): StoreLedger {
  const paths = storePaths(dir)
  if (!existsSync(paths.log)) throw noStore(dir)
  return new FileLedger(paths, storeSettings(options))
}

class FileLedger implements StoreLedger {
  readonly #paths: StorePaths
  readonly #settings: StoreSettings
  readonly #log: LogState
  readonly #view: StoreView
  readonly #appender: Appender
  #identity: CloneIdentity | undefined
  /** Which version of local/clone it was read from. */
  #identityMark = ''
  #owned: { mark: string; ids: readonly string[] } | undefined

  constructor(paths: StorePaths, settings: StoreSettings) {
    this.#paths = paths
    this.#settings = settings
    this.#log = new LogState(paths, settings.now, settings.archiveAfterMs)
    this.#view = new StoreView(this.#log, paths.blob)
    this.#appender = new Appender(paths, this.#log, settings)
  }

  get clone(): string | undefined {
    return (this.#identity ?? readIdentity(this.#paths.clone))?.clone
  }

  read(): View {
    this.#refresh()
    return this.#view
  }

  #refresh(): void {
    try {
      this.#log.refresh()
    } catch (error) {
      throw readError(this.#paths.root, error)
    }
  }

  transact<D extends Decision>(by: string, decide: (view: View) => D): D {
    let voids = 0
    for (let losses = 0; losses < MAX_LOST; ) {
      const decision = decide(this.read())
      const { ops } = decision
      if (ops === undefined || ops.length === 0) return decision
      const outcome = this.#append(by, ops)
      if (outcome === 'recorded') return decision
      if (outcome === 'lost') losses++
      else if (++voids >= MAX_VOID) break
    }
    throw new ConflictError(
      'too many writers at once: the change was overtaken every time and not recorded',
      {
        code: 'ledger-contention',
        hint: 'repeat the command',
        details: { voids },
      },
    )
  }

  #append(by: string, ops: readonly Op[]) {
    const { clone } = this.#writableIdentity()
    const { floor, written } = this.#log.query((table) => {
      checkOps(table, ops)
      return {
        floor: floorStamp(table, ops),
        written: ops.map((op) => (op.o === 'past' ? pastState(table, op) : op)),
      }
    })
    const stamp = this.#nextStamp(clone, floor)
    const lines = this.#withBlobs(written)
    const outcome = this.#appender.append({
      clone,
      by,
      stamp,
      nextStamp: () => this.#nextStamp(clone, ''),
      ops: lines,
    })
    // A blob that lay there unnamed may have been collected just before our line named it.
    if (outcome === 'recorded' && lines.some((op, i) => op !== written[i])) this.#withBlobs(written)
    return outcome
  }

  #writableIdentity(): CloneIdentity {
    try {
      // Looked at before every write: a sync that finds our id in use elsewhere gives us a new one.
      if (this.#identity === undefined || this.#identityMark !== this.#markOfClone()) {
        this.#identity = ownIdentity(this.#paths, this.#settings)
        this.#identityMark = this.#markOfClone()
      }
    } catch (error) {
      throw writeError(this.#paths.root, error)
    }
    const format = Math.max(this.#identity.format, this.#log.table.format)
    if (format > FORMAT) throw newerFormat(this.#paths.root, format)
    return this.#identity
  }

  #markOfClone(): string {
    const stat = statSync(this.#paths.clone, { throwIfNoEntry: false })
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs}`
  }

  #nextStamp(clone: string, floor: Stamp): Stamp {
    const { now } = this.#settings
    this.#log.table.forgetTooFar()
    return nextStamp({
      nowMs: now(),
      greatest: this.#log.table.greatest,
      floor,
      clone,
      random: this.#random(6),
    })
  }

  #withBlobs(ops: readonly WritableOp[]): LogOp[] {
    const writer: BlobWriter = {
      directory: this.#paths.blob,
      unique: () => this.#random(10),
      isDurable: this.#settings.isDurable,
      onStep: this.#settings.onStep,
    }
    try {
      return writeBlobs(writer, ops)
    } catch (error) {
      throw writeError(this.#paths.root, error)
    }
  }

  #random(length: number): string {
    return randomId(this.#settings.random.bytes(length), length)
  }

  watch(onChange: () => void): () => void {
    return watchLog(this.#paths.log, onChange)
  }

  async commitHistory(message?: string): Promise<string | undefined> {
    const { commitHistory } = await import('./commit-history.js')
    const identity = this.#writableIdentity()
    return commitHistory({ paths: this.#paths, settings: this.#settings, identity }, message)
  }

  uncommittedForMs(): number | undefined {
    const identity = this.#identity ?? readIdentity(this.#paths.clone)
    return identity === undefined ? undefined : uncommittedForMs(this.#paths, identity, this.#settings.now())
  }

  ownClones(): readonly string[] {
    const mark = this.#markOfClone()
    if (this.#owned?.mark !== mark) {
      const identity = readIdentity(this.#paths.clone)
      this.#owned = { mark, ids: identity === undefined ? [] : [identity.clone, ...identity.formerly] }
    }
    return this.#owned.ids
  }

  lostFiles(): string[] {
    const identity = this.#identity ?? readIdentity(this.#paths.clone)
    return identity === undefined ? [] : lostFiles(this.#paths, identity.clone)
  }

  #tailLimit(): number {
    const size = statSync(this.#paths.snapshot, { throwIfNoEntry: false })?.size ?? 0
    return Math.min(MAX_TAIL_BYTES, Math.max(MIN_TAIL_BYTES, size * TAIL_PART_OF_SNAPSHOT))
  }

  compactCache(force = false): void {
    this.#refresh()
    if (this.#log.tailBytes === 0 || (!force && this.#log.tailBytes <= this.#tailLimit())) return
    try {
      this.#log.query(() =>
        writeSnapshot(this.#paths.snapshot, this.#log, {
          temporary: `${this.#paths.snapshot}.${this.#random(8)}.tmp`,
          unique: this.#random(8),
          minResting: this.#settings.minResting,
          onStep: (step) => this.#settings.onStep(`snapshot:${step}`),
        }),
      )
      this.#log.noteSnapshotWritten()
    } catch (error) {
      // No space, or only readable: slower for the next one, but what was done stays done.
      if (errorCode(error) === undefined) throw error
    }
  }

  close(): void {
    this.#log.close()
  }
}
