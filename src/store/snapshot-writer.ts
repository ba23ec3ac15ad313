import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { EntityKind } from '../domain/record.js'
import { mayRest } from '../domain/resting.js'
import { writeAtomically } from '../system/atomic-write.js'
import { nativeCrc32 } from '../system/crc32.js'
import { saveCursor } from './chain-cursor.js'
import { type EntityState, fieldValue, isVisible, setElements } from './entity-state.js'
import { type EntityTable, foundIn, type Layer } from './entity-table.js'
import { eventsKeptFrom } from './event-age.js'
import type { StoredEvent } from './fold.js'
import type { LogState } from './log-state.js'
import { packState } from './packed-state.js'
import { groupOf, shownForm } from './shown-ids.js'
import {
  BIRTH_LENGTH,
  BYTE_ORDER_MARK,
  type ColdLayer,
  HASH_BLOCK_SLOTS,
  HEADER_BYTES,
  hashSize,
  hashText,
  lastSeconds,
  MAGIC,
  SECTIONS,
  type SectionName,
  type SnapshotMeta,
  sectionSum,
  sectionWord,
  setKey,
} from './snapshot-format.js'

const ALIGNMENT = 8
/** Offsets are u32. A store this large simply has no cache. */
const MAX_BYTES = 0xffffffff
/** A temporary file this old has no writer any more. */
const STALE_MS = 3_600_000

/** The lower layer is written as a whole, so only when this part of what it holds has gathered above it. */
const RESTING_PART = 1 / 8

export interface SnapshotWriteOptions {
  temporary: string
  /** Characters for the name of a new lower layer. */
  unique: string
  /** Fewer resting entities do not make a lower layer. */
  minResting: number
  onStep: (step: string) => void
}

/** Writes what `log` knows. Not flushed: after a power cut the checksums fail and the log is read instead. */
export function writeSnapshot(path: string, log: LogState, options: SnapshotWriteOptions): void {
  const encoded = encodeSnapshot(log, {
    ...options,
    hasFile: (name) => existsSync(join(dirname(path), name)),
  })
  const keep = encoded?.coldName
  removeStale(path, keep)
  if (encoded === undefined) return
  const { hot, cold } = encoded
  // The lower layer first: whoever reads the upper one finds it.
  if (cold !== undefined && keep !== undefined) {
    const temporary = `${options.temporary}-cold`
    writeAtomically(join(dirname(path), keep), cold, { ...options, temporary, durable: false })
  }
  if (cold !== undefined) letLinger(path, log)
  writeAtomically(path, hot, { ...options, durable: false })
}

/** Processes that have the old upper layer open may still ask for the old lower one. */
function letLinger(path: string, { table }: LogState): void {
  const name = table.hot?.snapshot.meta.cold?.name
  if (name === undefined) return
  const old = join(dirname(path), name)
  const now = new Date()
  if (existsSync(old)) utimesSync(old, now, now)
}

/** Temporary files whose writer is gone, and lower layers that no upper one names any more. */
function removeStale(path: string, keep: string | undefined): void {
  for (const name of readdirSync(dirname(path))) {
    const isOurs = name.startsWith(`${basename(path)}.`) || (name.startsWith(COLD_PREFIX) && name !== keep)
    const other = join(dirname(path), name)
    const stat = isOurs ? statSync(other, { throwIfNoEntry: false }) : undefined
    if (stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS) rmSync(other, { force: true })
  }
}

/** One entity on its way into a file: unchanged in a layer, or touched since. */
type Source = { birth: string; state: EntityState } | { birth: string; layer: Layer; row: number }

export interface EncodedSnapshot {
  hot: Buffer
  /** Name of the lower layer, new or old. */
  coldName?: string
  /** Content of the lower layer when it is a new one. */
  cold?: Buffer
}

export interface EncodeOptions extends Pick<SnapshotWriteOptions, 'unique' | 'minResting'> {
  /** Whether a lower layer of this name is still there. */
  hasFile: (name: string) => boolean
}

/** @returns undefined when it would be too large */
export function encodeSnapshot(log: LogState, options: EncodeOptions): EncodedSnapshot | undefined {
  const { table } = log
  const plan = planLayers(table, options)
  const meta = {
    chains: [...log.chains.values()].map(saveCursor),
    damage: table.damage,
    purges: table.purges,
    greatest: table.greatest,
    format: table.format,
    epoch: log.epoch,
  }
  const none = { chains: [], damage: NO_DAMAGE, purges: [], greatest: '', format: 0 }
  if (plan.cold === undefined) {
    const hot = encodeLayer(
      table,
      plan.hot,
      { ...meta, ...(plan.kept && { cold: plan.kept }) },
      keptEvents(table),
    )
    return hot && { hot, ...(plan.kept && { coldName: plan.kept.name }) }
  }
  const name = `${COLD_PREFIX}${options.unique}`
  const described: ColdLayer = {
    name,
    shadowed: [],
    statuses: statusesOf(plan.cold),
    before: table.archivedBefore,
  }
  const cold = encodeLayer(table, plan.cold, none, [])
  const hot = encodeLayer(table, plan.hot, { ...meta, cold: described }, keptEvents(table))
  return hot && cold && { hot, cold, coldName: name }
}

const NO_DAMAGE = { tornLines: 0, badLines: 0, unknownOps: 0 }
const COLD_PREFIX = 'cold-'

interface LayerPlan {
  hot: Source[]
  /** What the new lower layer holds; undefined: there is none, or it stays as it is. */
  cold?: Source[]
  /** The lower layer that stays. */
  kept?: ColdLayer
}

function planLayers(table: EntityTable, { minResting, hasFile }: EncodeOptions): LayerPlan {
  const upper = [...rowsOf(table.hot), ...overlayOf(table)]
  const resting = upper.filter((source) => isResting(table, source))
  const kept = table.hot?.snapshot.meta.cold
  const coldCount = kept === undefined ? 0 : (table.cold?.snapshot.count ?? 0)
  const isLost = kept !== undefined && !hasFile(kept.name)
  if (isLost || resting.length >= Math.max(minResting, coldCount * RESTING_PART)) {
    const isCold = new Set(resting)
    return {
      hot: inOrder(upper.filter((source) => !isCold.has(source))),
      cold: inOrder([...rowsOf(table.cold), ...resting]),
    }
  }
  if (kept === undefined || table.cold === undefined) return { hot: inOrder(upper) }
  const shadowed = shadowedRows(table.cold)
  const renamed = rowsWithNewShownId(table, table.cold)
  for (const { row } of renamed) shadowed.push(row)
  return { hot: inOrder([...upper, ...renamed]), kept: { ...kept, shadowed } }
}

function* rowsOf(layer: Layer | undefined): Iterable<Source> {
  if (layer === undefined) return
  const { snapshot, shadowed } = layer
  for (let row = 0; row < snapshot.count; row++) {
    if (shadowed[row] !== 1) yield { birth: snapshot.birth(row), layer, row }
  }
}

function* overlayOf(table: EntityTable): Iterable<Source> {
  for (const state of table.overlay.values()) {
    yield { birth: state.born?.[0] ?? '~'.padEnd(BIRTH_LENGTH), state }
  }
}

/** A key that was born earlier elsewhere may take a short form away from one that rests. */
function rowsWithNewShownId(table: EntityTable, cold: Layer): { birth: string; layer: Layer; row: number }[] {
  const { snapshot, shadowed } = cold
  const found = []
  for (const group of table.groupsWithNewBirth) {
    for (const row of snapshot.groupMembers(group)) {
      if (shadowed[row] === 1) continue
      const now = table.shownId(foundIn(cold, row))
      const before = snapshot.column8('shown')[row]
      if (shownCharacters(snapshot.id(row), now) !== before)
        found.push({ birth: snapshot.birth(row), layer: cold, row })
    }
  }
  return found
}

function shadowedRows({ shadowed }: Layer): number[] {
  const rows: number[] = []
  for (let row = shadowed.indexOf(1); row >= 0; row = shadowed.indexOf(1, row + 1)) rows.push(row)
  return rows
}

function isResting(table: EntityTable, source: Source): boolean {
  if ('state' in source) {
    const { state } = source
    return state.k !== undefined && isOld(table, lastSeconds(state.last)) && mayRest(state.k, statusOf(state))
  }
  const { snapshot } = source.layer
  if (!isOld(table, snapshot.column32('last')[source.row] ?? 0)) return false
  const { kind, status } = namesIn(source.layer, source.row)
  return mayRest(kind as EntityKind, status)
}

function isOld(table: EntityTable, seconds: number): boolean {
  return seconds < table.archivedBefore
}

function statusOf(state: EntityState): string {
  const status = fieldValue(state, 'status')
  return typeof status === 'string' ? status : ''
}

function namesIn({ snapshot }: Layer, row: number): { kind: string; status: string } {
  const { strings } = snapshot.meta
  return {
    kind: strings[snapshot.column8('kind')[row] ?? 0] ?? '',
    status: strings[snapshot.column('status')[row] ?? 0] ?? '',
  }
}

/** Those of rows that are gone are not there: no question finds them. */
function statusesOf(sources: readonly Source[]): ColdLayer['statuses'] {
  const statuses: Record<string, string[]> = {}
  for (const source of sources) {
    const names =
      'state' in source
        ? { kind: isVisible(source.state) ? (source.state.k ?? '') : '', status: statusOf(source.state) }
        : namesIn(source.layer, source.row)
    if (names.kind === '') continue
    statuses[names.kind] ??= []
    if (!statuses[names.kind]?.includes(names.status)) statuses[names.kind]?.push(names.status)
  }
  return statuses
}

function encodeLayer(
  table: EntityTable,
  sources: readonly Source[],
  meta: Omit<SnapshotMeta, 'strings'>,
  events: readonly StoredEvent[],
): Buffer | undefined {
  const columns = new Columns(sources.length)
  for (const { snapshot } of layersOf(sources)) snapshot.loadRows()
  for (const [entity, source] of sources.entries()) {
    if ('state' in source) columns.addState(entity, source.state, table)
    else columns.copy(entity, source, table)
  }
  const whole: SnapshotMeta = { ...meta, strings: [...columns.strings.keys()] }
  return assemble(sources.length, {
    ...columns.sections(),
    meta: Buffer.from(JSON.stringify(whole)),
    birth: Buffer.from(sources.map(({ birth }) => birth).join(''), 'latin1'),
    events: Buffer.from(JSON.stringify(events)),
  })
}

function layersOf(sources: readonly Source[]): Set<Layer> {
  return new Set(sources.flatMap((source) => ('layer' in source ? [source.layer] : [])))
}

function keptEvents(table: EntityTable): StoredEvent[] {
  const from = eventsKeptFrom(table.nowMs, table.greatest)
  return table.events.filter(({ mark }) => mark >= from)
}

function inOrder(sources: Source[]): Source[] {
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
  readonly #last: Uint32Array
  readonly #status: Uint32Array
  readonly #assignee: Uint32Array
  readonly #rowCrc: Uint32Array
  readonly #rowOffset: Uint32Array
  readonly #setOffset: Uint32Array
  readonly #setElement: number[] = []
  readonly #ids: string[] = []
  readonly #rows: Buffer[] = []
  readonly #crc = nativeCrc32()
  #rowBytes = 0

  constructor(count: number) {
    this.#kind = new Uint8Array(count)
    this.#shown = new Uint8Array(count)
    this.#last = new Uint32Array(count)
    this.#status = new Uint32Array(count)
    this.#assignee = new Uint32Array(count)
    this.#rowCrc = new Uint32Array(count)
    this.#rowOffset = new Uint32Array(count + 1)
    this.#setOffset = new Uint32Array(count + 1)
  }

  addState(entity: number, state: EntityState, table: EntityTable): void {
    const row = Buffer.from(JSON.stringify(packState(state)))
    this.#addRow(entity, state.id, row, this.#crc(row))
    this.#shown[entity] = shownCharacters(state.id, table.shownId({ state, row: -1 }))
    this.#last[entity] = lastSeconds(state.last)
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

  copy(entity: number, { layer, row: old }: { layer: Layer; row: number }, table: EntityTable): void {
    const { snapshot } = layer
    const { strings } = snapshot.meta
    const id = snapshot.id(old)
    this.#addRow(entity, id, snapshot.rowBytes(old), snapshot.column32('rowCrc')[old] ?? 0)
    this.#last[entity] = snapshot.column32('last')[old] ?? 0
    this.#shown[entity] = table.hasNewBirth(groupOf(id))
      ? shownCharacters(id, table.shownId(foundIn(layer, old)))
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
    const idHash = hashTable(this.#ids)
    const groupHash = hashTable(this.#ids.map(groupOf))
    return {
      kind: this.#kind,
      last: bytesOf(this.#last),
      shown: this.#shown,
      status: this.#narrow(this.#status),
      assignee: this.#narrow(this.#assignee),
      ids: Buffer.from(`\n${this.#ids.map((id) => `${id}\n`).join('')}`),
      idOffset: bytesOf(idOffsets(this.#ids)),
      idHash: bytesOf(idHash),
      idHashSums: bytesOf(blockSums(idHash)),
      groupHash: bytesOf(groupHash),
      groupHashSums: bytesOf(blockSums(groupHash)),
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

function blockSums(table: Uint32Array): Uint32Array {
  const sums = new Uint32Array(Math.ceil(table.length / HASH_BLOCK_SLOTS))
  for (let block = 0; block < sums.length; block++) {
    const start = block * HASH_BLOCK_SLOTS
    sums[block] = sectionSum(bytesOf(table.subarray(start, start + HASH_BLOCK_SLOTS)))
  }
  return sums
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
    words.set([position, bytes.length, sectionSum(atWord(bytes))], sectionWord(index))
    parts.push(bytes, Buffer.alloc(aligned(bytes.length) - bytes.length))
    position += aligned(bytes.length)
  }
  if (position > MAX_BYTES) return undefined
  header.write(MAGIC, 0, 'latin1')
  words.set([BYTE_ORDER_MARK, position, count], 2)
  words[HEADER_BYTES / 4 - 1] = sectionSum(header.subarray(0, HEADER_BYTES - 4))
  return Buffer.concat(parts, position)
}

/** Sums add up words; what was cut out of another buffer may lie anywhere. */
function atWord(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT
}
