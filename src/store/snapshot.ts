import { closeSync, fstatSync, openSync } from 'node:fs'
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
  sectionWord,
} from './snapshot-format.js'

/** Up to this size the file is read at once; beyond it only the sections that a query needs. */
const READ_WHOLE_BYTES = 1024 * 1024
/** From here on loading the native sum costs less than it saves. */
const NATIVE_SUM_BYTES = 256 * 1024
/** After this many single rows the rest is fetched in one read. */
const SINGLE_ROWS = 16

/** The cache cannot be trusted. It is dropped and the log is read instead. */
export class SnapshotDamaged extends Error {}

type HashTable = 'idHash' | 'groupHash'

interface Source {
  /** Undefined once everything needed is in memory. */
  fd: number | undefined
  whole: Buffer | undefined
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
  #rows: Buffer | undefined
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
      const size = fstatSync(fd).size
      const isSmall = size <= READ_WHOLE_BYTES
      const head = readRange(fd, 0, isSmall ? size : HEADER_BYTES)
      const header = readHeader(head, size)
      if (header === undefined) return undefined
      keep = !isSmall
      return new Snapshot(path, { fd: isSmall ? undefined : fd, whole: isSmall ? head : undefined }, header)
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
    return this.#sections.has('ids') ? this.id(entity) : this.state(entity).id
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
    if (crc32(bytes) !== this.column32(`${table}Sums`)[block]) throw new SnapshotDamaged(`${table} ${block}`)
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

  /** @throws SnapshotDamaged */
  state(entity: number): PackedState {
    return parse(this.rowBytes(entity)) as PackedState
  }

  /** @throws SnapshotDamaged */
  rowBytes(entity: number): Buffer {
    const offsets = this.column32('rowOffset')
    const start = offsets[entity] ?? 0
    const length = (offsets[entity + 1] ?? 0) - start
    if (length < 0 || start + length > this.#sectionLength('rows')) throw new SnapshotDamaged(`row ${entity}`)
    if (this.#rows === undefined && ++this.#rowsRead > SINGLE_ROWS) {
      this.#rows = this.#read('rows')
      this.#sum = nativeCrc32()
    }
    const row =
      this.#rows === undefined
        ? this.#range(this.#sectionOffset('rows') + start, length)
        : this.#rows.subarray(start, start + length)
    if (this.#sum(row) !== this.column32('rowCrc')[entity]) throw new SnapshotDamaged(`row ${entity}`)
    return row
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
    const crc = this.#header[sectionWord(SECTIONS.indexOf(name)) + 2] ?? 0
    if (sumOf(bytes) !== crc) throw new SnapshotDamaged(`section ${name}`)
    this.#sections.set(name, bytes)
    return bytes
  }

  #read(name: SectionName): Buffer {
    return this.#range(this.#sectionOffset(name), this.#sectionLength(name))
  }

  #range(offset: number, length: number): Buffer {
    const { fd, whole } = this.#source
    if (whole !== undefined) return whole.subarray(offset, offset + length)
    if (fd === undefined) throw new SnapshotDamaged('closed')
    const bytes = readRange(fd, offset, length)
    if (bytes.length !== length) throw new SnapshotDamaged('too short')
    return bytes
  }
}

function sumOf(bytes: Buffer): number {
  return bytes.length < NATIVE_SUM_BYTES ? crc32(bytes) : nativeCrc32()(bytes)
}

function readHeader(head: Buffer, size: number): Uint32Array | undefined {
  if (head.length < HEADER_BYTES || head.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  const header = new Uint32Array(head.buffer, head.byteOffset, HEADER_BYTES / 4)
  const isGood =
    header[2] === BYTE_ORDER_MARK &&
    header[3] === size &&
    crc32(head, 0, HEADER_BYTES - 4) === header[HEADER_BYTES / 4 - 1]
  return isGood ? header : undefined
}

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
