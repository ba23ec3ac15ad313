import { readdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { writeAtomically } from '../system/atomic-write.js'
import { crc32 } from '../system/crc32.js'
import { saveCursor } from './chain-cursor.js'
import { type EntityState, fieldValue, isVisible, setElements } from './entity-state.js'
import type { EntityTable } from './entity-table.js'
import { eventsKeptFrom } from './event-age.js'
import type { StoredEvent } from './fold.js'
import type { LogState } from './log-state.js'
import { packState } from './packed-state.js'
import { groupOf, shownForm } from './shown-ids.js'
import type { Snapshot } from './snapshot.js'
import {
  BIRTH_LENGTH,
  BYTE_ORDER_MARK,
  HEADER_BYTES,
  hashSize,
  hashText,
  MAGIC,
  SECTIONS,
  type SectionName,
  type SnapshotMeta,
  sectionWord,
  setKey,
} from './snapshot-format.js'

const ALIGNMENT = 8
/** Offsets are u32. A store this large simply has no cache. */
const MAX_BYTES = 0xffffffff
/** A temporary file this old has no writer any more. */
const STALE_MS = 3_600_000

export interface SnapshotWriteOptions {
  temporary: string
  onStep: (step: string) => void
}

/** Writes what `log` knows. Not flushed: after a power cut the checksums fail and the log is read instead. */
export function writeSnapshot(path: string, log: LogState, options: SnapshotWriteOptions): void {
  removeStale(path)
  const content = encodeSnapshot(log)
  if (content === undefined) return
  writeAtomically(path, content, { ...options, durable: false })
}

function removeStale(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`)) continue
    const other = join(dirname(path), name)
    const stat = statSync(other, { throwIfNoEntry: false })
    if (stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS) rmSync(other, { force: true })
  }
}

/** One entity on its way into the file: unchanged in the old snapshot, or touched since. */
type Source = { birth: string; state: EntityState } | { birth: string; old: number }

/** @returns undefined when it would be too large */
export function encodeSnapshot(log: LogState): Buffer | undefined {
  const { table } = log
  const sources = inOrderOfBirth(table)
  const columns = new Columns(sources.length)
  for (const [entity, source] of sources.entries()) {
    if ('state' in source) columns.addState(entity, source.state, table)
    else if (table.snapshot !== undefined) columns.copy(entity, source.old, table, table.snapshot)
  }
  const meta: SnapshotMeta = {
    chains: [...log.chains.values()].map(saveCursor),
    strings: [...columns.strings.keys()],
    damage: table.damage,
    greatest: table.greatest,
    format: table.format,
  }
  return assemble(sources.length, {
    ...columns.sections(),
    meta: Buffer.from(JSON.stringify(meta)),
    birth: Buffer.from(sources.map(({ birth }) => birth).join(''), 'latin1'),
    events: Buffer.from(JSON.stringify(keptEvents(table))),
  })
}

function keptEvents(table: EntityTable): StoredEvent[] {
  const from = eventsKeptFrom(table.nowMs, table.greatest)
  return table.events.filter(({ mark }) => mark >= from)
}

function inOrderOfBirth(table: EntityTable): Source[] {
  const sources: Source[] = []
  const { snapshot } = table
  for (let old = 0; old < (snapshot?.count ?? 0); old++) {
    if (snapshot !== undefined && table.shadowed[old] !== 1) sources.push({ birth: snapshot.birth(old), old })
  }
  for (const state of table.overlay.values()) {
    sources.push({ birth: state.born?.[0] ?? '~'.padEnd(BIRTH_LENGTH), state })
  }
  return sources.sort((a, b) => (a.birth < b.birth ? -1 : a.birth > b.birth ? 1 : 0))
}

/** Gives each distinct string a number, in order of first use. */
class Interned extends Map<string, number> {
  number(text: string): number {
    let number = this.get(text)
    if (number === undefined) {
      number = this.size
      this.set(text, number)
    }
    return number
  }
}

class Columns {
  readonly strings = new Interned([['', 0]])
  readonly #setStrings = new Interned()
  readonly #kind: Uint8Array
  readonly #shown: Uint8Array
  readonly #status: Uint32Array
  readonly #assignee: Uint32Array
  readonly #rowCrc: Uint32Array
  readonly #rowOffset: Uint32Array
  readonly #setOffset: Uint32Array
  readonly #setElement: number[] = []
  readonly #ids: string[] = []
  readonly #rows: Buffer[] = []
  #rowBytes = 0

  constructor(count: number) {
    this.#kind = new Uint8Array(count)
    this.#shown = new Uint8Array(count)
    this.#status = new Uint32Array(count)
    this.#assignee = new Uint32Array(count)
    this.#rowCrc = new Uint32Array(count)
    this.#rowOffset = new Uint32Array(count + 1)
    this.#setOffset = new Uint32Array(count + 1)
  }

  addState(entity: number, state: EntityState, table: EntityTable): void {
    const row = Buffer.from(JSON.stringify(packState(state)))
    this.#addRow(entity, state.id, row, crc32(row))
    this.#shown[entity] = shownCharacters(state.id, table.shownId(state, -1))
    if (isVisible(state)) this.#kind[entity] = this.strings.number(state.k ?? '')
    this.#status[entity] = this.#text(fieldValue(state, 'status'))
    this.#assignee[entity] = this.#text(fieldValue(state, 'assignee'))
    for (const [field, elements] of Object.entries(state.set)) {
      for (const element of setElements(elements)) {
        this.#setElement.push(this.#setStrings.number(setKey(field, element)))
      }
    }
    this.#setOffset[entity + 1] = this.#setElement.length
  }

  copy(entity: number, old: number, table: EntityTable, snapshot: Snapshot): void {
    const { strings } = snapshot.meta
    const id = snapshot.id(old)
    this.#addRow(entity, id, snapshot.rowBytes(old), snapshot.column32('rowCrc')[old] ?? 0)
    this.#shown[entity] = table.hasNewBirth(groupOf(id))
      ? shownCharacters(id, table.shownId(snapshot.state(old), old))
      : (snapshot.column8('shown')[old] ?? 0)
    this.#kind[entity] = this.strings.number(strings[snapshot.column8('kind')[old] ?? 0] ?? '')
    this.#status[entity] = this.strings.number(strings[snapshot.column('status')[old] ?? 0] ?? '')
    this.#assignee[entity] = this.strings.number(strings[snapshot.column('assignee')[old] ?? 0] ?? '')
    const offsets = snapshot.column32('setOffset')
    const elements = snapshot.column32('setElement')
    for (let i = offsets[old] ?? 0; i < (offsets[old + 1] ?? 0); i++) {
      this.#setElement.push(this.#setStrings.number(snapshot.setStrings[elements[i] ?? 0] ?? ''))
    }
    this.#setOffset[entity + 1] = this.#setElement.length
  }

  #addRow(entity: number, id: string, row: Buffer, crc: number): void {
    this.#ids.push(id)
    this.#rows.push(row)
    this.#rowCrc[entity] = crc
    this.#rowBytes += row.length
    this.#rowOffset[entity + 1] = this.#rowBytes
  }

  #narrow(column: Uint32Array): Uint8Array {
    return bytesOf(this.strings.size <= 0xffff ? Uint16Array.from(column) : column)
  }

  #text(value: unknown): number {
    return typeof value === 'string' ? this.strings.number(value) : 0
  }

  sections(): Omit<Record<SectionName, Uint8Array>, 'meta' | 'birth' | 'events'> {
    return {
      kind: this.#kind,
      shown: this.#shown,
      status: this.#narrow(this.#status),
      assignee: this.#narrow(this.#assignee),
      ids: Buffer.from(`\n${this.#ids.map((id) => `${id}\n`).join('')}`),
      idOffset: bytesOf(idOffsets(this.#ids)),
      idHash: bytesOf(hashTable(this.#ids)),
      groupHash: bytesOf(hashTable(this.#ids.map(groupOf))),
      rowOffset: bytesOf(this.#rowOffset),
      rowCrc: bytesOf(this.#rowCrc),
      rows: Buffer.concat(this.#rows, this.#rowBytes),
      setOffset: bytesOf(this.#setOffset),
      setElement: bytesOf(Uint32Array.from(this.#setElement)),
      setStrings: Buffer.from(JSON.stringify([...this.#setStrings.keys()])),
    }
  }
}

/** Random characters shown, 0 for the whole key. */
function shownCharacters(id: string, shown: string): number {
  if (shown === id) return 0
  let characters = shown.length
  while (characters > 0 && shownForm(id, characters).length > shown.length) characters--
  return characters
}

function idOffsets(ids: readonly string[]): Uint32Array {
  const offsets = new Uint32Array(ids.length + 1)
  let position = 1
  for (const [entity, id] of ids.entries()) {
    offsets[entity] = position
    position += Buffer.byteLength(id) + 1
  }
  offsets[ids.length] = position
  return offsets
}

function hashTable(texts: readonly string[]): Uint32Array {
  const slots = new Uint32Array(hashSize(texts.length))
  const mask = slots.length - 1
  for (const [entity, text] of texts.entries()) {
    let slot = hashText(text) & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = entity + 1
  }
  return slots
}

function bytesOf(column: Uint16Array | Uint32Array): Uint8Array {
  return new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
}

function assemble(count: number, sections: Record<SectionName, Uint8Array>): Buffer | undefined {
  const header = Buffer.alloc(aligned(HEADER_BYTES))
  const words = new Uint32Array(header.buffer, header.byteOffset, HEADER_BYTES / 4)
  const parts: Uint8Array[] = [header]
  let position = header.length
  for (const [index, name] of SECTIONS.entries()) {
    const bytes = sections[name]
    words.set([position, bytes.length, crc32(bytes)], sectionWord(index))
    parts.push(bytes, Buffer.alloc(aligned(bytes.length) - bytes.length))
    position += aligned(bytes.length)
  }
  if (position > MAX_BYTES) return undefined
  header.write(MAGIC, 0, 'latin1')
  words.set([BYTE_ORDER_MARK, position, count], 2)
  words[HEADER_BYTES / 4 - 1] = crc32(header, 0, HEADER_BYTES - 4)
  return Buffer.concat(parts, position)
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}
