import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32, nativeCrc32 } from '../system/crc32.js'
import type { StoredEvent } from './fold.js'
import type { PackedState } from './packed-state.js'
import { errorCode, readRange } from './segment-bytes.js'
import { groupOf } from './shown-ids.js'
import {
  BIRTH_LENGTH,
  BYTE_ORDER_MARK,
  HASH_BLOCK_BITS,
  HASH_BLOCK_SLOTS,
  HEADER_BYTES,
  hashText,
  MAGIC,
  SECTIONS,
  type SectionName,
  type SnapshotMeta,
  sectionSum,
  sectionWord,
} from './snapshot-format.js'

/** Up to this size the file is read at once; beyond it only the sections that a query needs. */
const READ_WHOLE_BYTES = 1024 * 1024
/** Header and meta of most stores, in one read. */
const HEAD_BYTES = 8 * 1024
/** After this many single rows more is fetched at a time. */
const SINGLE_ROWS = 24
/** After this many ids were looked up the list of all is read. */
const SINGLE_LOOK_UPS = 64
/** Rows of a list lie near each other, one after the other; they come through one buffer of this size. */
const WINDOW_BYTES = 128 * 1024

/** The cache cannot be trusted. It is dropped and the log is read instead. */
export class SnapshotDamaged extends Error {}

type HashTable = 'idHash' | 'groupHash'

interface Source {
  /** Undefined once everything needed is in memory. */
  fd: number | undefined
  /** The file from its start; all of it when it is small. */
  head: Buffer
}

/** A snapshot file, read lazily. Immutable: a newer file replaces it by name, this one keeps reading what it opened. */
export class Snapshot {
  readonly count: number
  readonly #source: Source
  readonly #header: Uint32Array
  readonly #sections = new Map<SectionName, Buffer>()
  readonly #columns = new Map<SectionName, Uint32Array>()
  readonly #blocks = new Map<string, Uint32Array>()
  #meta: SnapshotMeta | undefined
  #setStrings: string[] | undefined
  #events: StoredEvent[] | undefined
  #rowsRead = 0
  #lookUps = 0
  #rows: Buffer | undefined
  /** Of `rows`, from this byte on. */
  #window: { from: number; length: number; bytes: Buffer } | undefined
  /** A row that was parsed to see whose it is, for who asks for it next. */
  #parsed: { entity: number; state: PackedState } | undefined
  #sum: (bytes: Uint8Array) => number = crc32

  readonly #path: string

  private constructor(path: string, source: Source, header: Uint32Array) {
    this.#path = path
    this.#source = source
    this.#header = header
    this.count = header[4] ?? 0
  }

  /** @returns undefined when there is none, or none that this version can use */
  static open(path: string): Snapshot | undefined {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch {
      // The log says the same, more slowly.
      return undefined
    }
    let keep = false
    try {
      const head = readRange(fd, 0, HEAD_BYTES)
      const header = readHeader(head)
      if (header === undefined) return undefined
      const size = header[3] ?? 0
      keep = size > READ_WHOLE_BYTES
      if (keep) return new Snapshot(path, { fd, head }, header)
      return new Snapshot(path, { fd: undefined, head: readRange(fd, 0, size) }, header)
    } catch (error) {
      // A directory, a bad block: no cache, but no reason to give up either.
      if (errorCode(error) === undefined) throw error
      return undefined
    } finally {
      if (!keep) closeSync(fd)
    }
  }

  /** @throws SnapshotDamaged when it is gone or not usable */
  openCold(): Snapshot {
    const name = this.meta.cold?.name ?? ''
    const cold = Snapshot.open(join(dirname(this.#path), name))
    if (cold === undefined) throw new SnapshotDamaged(`lower layer ${name}`)
    return cold
  }

  close(): void {
    if (this.#source.fd !== undefined) closeSync(this.#source.fd)
    this.#source.fd = undefined
  }

  get meta(): SnapshotMeta {
    this.#meta ??= parse(this.#bytes('meta')) as SnapshotMeta
    return this.#meta
  }

  column8(name: 'kind' | 'shown'): Uint8Array {
    return this.#bytes(name)
  }

  column(name: 'status' | 'assignee'): Uint16Array | Uint32Array {
    const bytes = this.#bytes(name)
    const width = bytes.length / Math.max(this.count, 1)
    if (width === 4) return new Uint32Array(bytes.buffer, bytes.byteOffset, this.count)
    return new Uint16Array(bytes.buffer, bytes.byteOffset, this.count)
  }

  column32(
    name:
      | 'last'
      | 'idOffset'
      | 'rowOffset'
      | 'rowCrc'
      | 'setOffset'
      | 'setElement'
      | 'idHashSums'
      | 'groupHashSums',
  ): Uint32Array {
    let column = this.#columns.get(name)
    if (column === undefined) {
      const isChecked = name !== 'rowOffset' && name !== 'rowCrc'
      const bytes = isChecked ? this.#bytes(name) : this.#read(name)
      column = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
      this.#columns.set(name, column)
    }
    return column
  }

  /** @returns number of the entity, or -1 */
  find(id: string): number {
    let found = -1
    this.#probe('idHash', id, (entity) => {
      if (this.#idInRow(entity) !== id) return false
      found = entity
      return true
    })
    return found
  }

  /** Entities whose shown ids could be equal to that of a key of `group`. */
  groupMembers(group: string): number[] {
    const members: number[] = []
    this.#probe('groupHash', group, (entity) => {
      if (groupOf(this.#idInRow(entity)) === group) members.push(entity)
      return false
    })
    return members
  }

  /** One row costs less than the list of all ids, and has a sum of its own. */
  #idInRow(entity: number): string {
    if (++this.#lookUps > SINGLE_LOOK_UPS) return this.id(entity)
    const state = this.state(entity)
    this.#parsed = { entity, state }
    return state.id
  }

  #probe(table: HashTable, text: string, visit: (entity: number) => boolean): void {
    const mask = this.#sectionLength(table) / 4 - 1
    for (let slot = hashText(text) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots(table, slot >>> HASH_BLOCK_BITS)[slot & (HASH_BLOCK_SLOTS - 1)] ?? 0
      if (entry === 0 || visit(entry - 1)) return
    }
  }

  /** A part of a hash table that has its own sum, so that looking one id up does not cost a sum over all. */
  #slots(table: HashTable, block: number): Uint32Array {
    const known = this.#blocks.get(`${table} ${block}`)
    if (known !== undefined) return known
    const start = block * HASH_BLOCK_SLOTS * 4
    const length = Math.min(HASH_BLOCK_SLOTS * 4, this.#sectionLength(table) - start)
    const bytes = this.#range(this.#sectionOffset(table) + start, length)
    if (sectionSum(bytes) !== this.column32(`${table}Sums`)[block])
      throw new SnapshotDamaged(`${table} ${block}`)
    const slots = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    this.#blocks.set(`${table} ${block}`, slots)
    return slots
  }

  id(entity: number): string {
    const offsets = this.column32('idOffset')
    return this.#bytes('ids').toString('utf8', offsets[entity] ?? 0, (offsets[entity + 1] ?? 1) - 1)
  }

  /** Entities whose id starts with `prefix`, in order of birth. */
  withPrefix(prefix: string): number[] {
    const ids = this.#bytes('ids')
    const offsets = this.column32('idOffset')
    const wanted = Buffer.from(`\n${prefix}`, 'utf8')
    const found: number[] = []
    for (let at = ids.indexOf(wanted); at >= 0; at = ids.indexOf(wanted, at + 1)) {
      const entity = indexOf(offsets, at + 1)
      if (entity < this.count && offsets[entity] === at + 1) found.push(entity)
    }
    return found
  }

  birth(entity: number): string {
    return this.#bytes('birth').toString('latin1', entity * BIRTH_LENGTH, (entity + 1) * BIRTH_LENGTH)
  }

  /** The caller's own: nobody else holds it. @throws SnapshotDamaged */
  state(entity: number): PackedState {
    const parsed = this.#parsed
    this.#parsed = undefined
    if (parsed?.entity === entity) return parsed.state
    return parse(this.rowBytes(entity)) as PackedState
  }

  /** Valid until the next call, unless all rows are loaded. @throws SnapshotDamaged */
  rowBytes(entity: number): Buffer {
    this.#rowsRead++
    const start = this.#word('rowOffset', entity)
    const length = this.#word('rowOffset', entity + 1) - start
    if (length < 0 || start + length > this.#sectionLength('rows')) throw new SnapshotDamaged(`row ${entity}`)
    const row = this.#rowRange(start, length)
    if (this.#sum(row) !== this.#word('rowCrc', entity)) throw new SnapshotDamaged(`row ${entity}`)
    return row
  }

  /** Of a column that is not checked as a whole; a few words cost less than all. */
  #word(name: 'rowOffset' | 'rowCrc', index: number): number {
    if (this.#rowsRead > SINGLE_ROWS || this.#columns.has(name)) return this.column32(name)[index] ?? 0
    const bytes = this.#range(this.#sectionOffset(name) + index * 4, 4)
    return new Uint32Array(bytes.buffer, bytes.byteOffset, 1)[0] ?? 0
  }

  #rowRange(start: number, length: number): Buffer {
    if (this.#rows !== undefined) return this.#rows.subarray(start, start + length)
    if (this.#rowsRead <= SINGLE_ROWS) return this.#range(this.#sectionOffset('rows') + start, length)
    if (this.#rowsRead === SINGLE_ROWS + 1) this.#sum = nativeCrc32()
    return this.#throughWindow(start, length)
  }

  #throughWindow(start: number, length: number): Buffer {
    const { fd } = this.#source
    if (fd === undefined || length > WINDOW_BYTES)
      return this.#range(this.#sectionOffset('rows') + start, length)
    this.#window ??= { from: 0, length: 0, bytes: Buffer.allocUnsafeSlow(WINDOW_BYTES) }
    const window = this.#window
    if (start < window.from || start + length > window.from + window.length) {
      const wanted = Math.min(this.#sectionLength('rows') - start, WINDOW_BYTES)
      const read = readRange(fd, this.#sectionOffset('rows') + start, wanted, window.bytes)
      if (read.length < wanted) throw new SnapshotDamaged('too short')
      Object.assign(window, { from: start, length: wanted })
    }
    return window.bytes.subarray(start - window.from, start - window.from + length)
  }

  /** For who needs most of the rows, in any order. */
  loadRows(): void {
    this.#rows ??= this.#read('rows')
    this.#window = undefined
    this.#sum = nativeCrc32()
  }

  /** False when the row holds `text` (small ASCII letters) nowhere. Texts in blobs are not looked at: they may hold anything. */
  mayHold(entity: number, text: string): boolean {
    const row = this.rowBytes(entity).toString('latin1').toLowerCase()
    return row.includes(text) || row.includes('"$blob"')
  }

  /** Strings that `setElement` points at. */
  get setStrings(): readonly string[] {
    this.#setStrings ??= parse(this.#bytes('setStrings')) as string[]
    return this.#setStrings
  }

  get events(): readonly StoredEvent[] {
    this.#events ??= parse(this.#bytes('events')) as StoredEvent[]
    return this.#events
  }

  #sectionOffset(name: SectionName): number {
    return this.#header[sectionWord(SECTIONS.indexOf(name))] ?? 0
  }

  #sectionLength(name: SectionName): number {
    return this.#header[sectionWord(SECTIONS.indexOf(name)) + 1] ?? 0
  }

  /** @throws SnapshotDamaged */
  #bytes(name: SectionName): Buffer {
    const known = this.#sections.get(name)
    if (known !== undefined) return known
    const bytes = this.#read(name)
    const sum = this.#header[sectionWord(SECTIONS.indexOf(name)) + 2] ?? 0
    if (sectionSum(bytes) !== sum) throw new SnapshotDamaged(`section ${name}`)
    this.#sections.set(name, bytes)
    return bytes
  }

  #read(name: SectionName): Buffer {
    return this.#range(this.#sectionOffset(name), this.#sectionLength(name))
  }

  #range(offset: number, length: number): Buffer {
    const { fd, head } = this.#source
    if (offset + length <= head.length) return head.subarray(offset, offset + length)
    if (fd === undefined) throw new SnapshotDamaged('closed, or too short')
    const bytes = readRange(fd, offset, length)
    if (bytes.length !== length) throw new SnapshotDamaged('too short')
    return bytes
  }
}

/** That a file is shorter than its header says shows when the missing part is asked for. */
function readHeader(head: Buffer): Uint32Array | undefined {
  if (head.length < HEADER_BYTES) return undefined
  const header = new Uint32Array(head.buffer, head.byteOffset, HEADER_BYTES / 4)
  const isGood =
    header[2] === BYTE_ORDER_MARK &&
    MAGIC_BYTES.every((byte, i) => head[i] === byte) &&
    sectionSum(head.subarray(0, HEADER_BYTES - 4)) === header[HEADER_BYTES / 4 - 1]
  return isGood ? header : undefined
}

const MAGIC_BYTES = Buffer.from(MAGIC, 'latin1')

/** Index of `value` in an ascending column. */
function indexOf(column: Uint32Array, value: number): number {
  let low = 0
  let high = column.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((column[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', 0, bytes.length))
  } catch (error) {
    throw new SnapshotDamaged('not JSON', { cause: error })
  }
}
