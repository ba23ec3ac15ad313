import type { SavedChain } from './chain-cursor.js'
import { type Stamp, stampMs } from './stamp.js'

/**
 * cache/snap: header, then sections, each 8-byte aligned with its own sum so that a reader checks only what it uses: the first
 * hundred KB of sums cost a cold process up to a millisecond, before the JIT has seen the loop.
 *
 *   header   8 bytes magic · u32 byte-order mark · u32 file size · u32 entities · per section u32 offset, length, sum · u32 sum
 *   entities in order of birth, those without a `new` last; row i of every column is entity i
 *
 * Numbers have the byte order of the machine: the file never leaves it. The last character of the magic is the version
 * of this layout AND of the fold: raise it whenever either changes, so that an old snapshot is rebuilt.
 */
export const MAGIC = 'gtsnap-3'
export const BYTE_ORDER_MARK = 0x01020304

export const SECTIONS = [
  /** JSON: SnapshotMeta. */
  'meta',
  /** u8 index into meta.strings; 0: not visible. */
  'kind',
  /** Indexes into meta.strings, 0: absent. u16 while that is enough, else u32: the length tells. */
  'status',
  'assignee',
  /** u32 seconds since the epoch of the last change. */
  'last',
  /** u8 random characters shown; 0: the whole key. */
  'shown',
  /** u32, one more than entities: where in `ids` the id starts; the next start minus one is its end. */
  'idOffset',
  /** A newline, then each id with a newline. */
  'ids',
  /**
   * u32 open-addressing tables of entity number + 1: by id, and by the group whose shown ids could be equal. Checked
   * block by block, by the u32 sums that follow.
   */
  'idHash',
  'idHashSums',
  'groupHash',
  'groupHashSums',
  /**
   * u32, one more than entities; and u32. Not checked as a whole: a wrong place or a wrong sum fails at the row, and
   * a query for three rows need not add up a column.
   */
  'rowOffset',
  'rowCrc',
  /** JSON of each PackedState. Checked row by row. */
  'rows',
  /** 47 bytes each: mark of birth; '~' first when unborn. */
  'birth',
  /** u32, one more than entities: where in `setElement` its elements start. */
  'setOffset',
  /** u32 index into setStrings. */
  'setElement',
  /** JSON array of `field NUL element`. */
  'setStrings',
  /** JSON array of StoredEvent, in order of marks. */
  'events',
] as const

export type SectionName = (typeof SECTIONS)[number]

export const BIRTH_LENGTH = 47
const FIXED_WORDS = 5
/** Words: magic (2), byte order, size, entities, three per section, sum. */
export const HEADER_BYTES = (FIXED_WORDS + SECTIONS.length * 3 + 1) * 4

export function sectionWord(index: number): number {
  return FIXED_WORDS + index * 3
}

/**
 * Sum of words. Not a CRC: that costs a cold process four times as much, and what differs by accident differs in this
 * just as surely. Rows have a CRC, which native code can add up.
 */
export function sectionSum(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  let sum = bytes.length
  for (let i = 0; i < words.length; i++) sum = ((sum << 5) - sum + (words[i] as number)) | 0
  for (let i = words.length * 4; i < bytes.length; i++) sum = ((sum << 5) - sum + (bytes[i] as number)) | 0
  return sum >>> 0
}

export interface Damage {
  tornLines: number
  badLines: number
  unknownOps: number
}

/** `what` of entity `id` as it was up to `stamp` is destroyed. */
export interface Purge {
  id: string
  what: string
  stamp: Stamp
}

export interface SnapshotMeta {
  chains: SavedChain[]
  /** Index 0 is ''. */
  strings: string[]
  damage: Damage
  purges: Purge[]
  greatest: string
  format: number
  /** Only in the upper layer, when there is a lower one. */
  cold?: ColdLayer
  /** See log-epoch.ts; absent: the first. */
  epoch?: string
}

/** The lower layer: a file of the same kind, beside this one, with what rests. It has no chains and no events. */
export interface ColdLayer {
  /** In the folder of the snapshot. */
  name: string
  /** Its rows that the upper layer holds in a newer state. */
  shadowed: number[]
  /** What it holds: statuses by kind, '' for none. */
  statuses: Partial<Record<string, string[]>>
  /** All of it was last changed before this. Seconds since the epoch. */
  before: number
}

/** Of a stamp; a year beyond 2105 counts as the last that fits. */
export function lastSeconds(stamp: Stamp): number {
  const seconds = Math.floor(stampMs(stamp) / 1000)
  return seconds >= 0 ? Math.min(seconds, 0xffffffff) : 0
}

/** FNV-1a over UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** 4 KiB: what one look-up reads and adds up. */
export const HASH_BLOCK_BITS = 10
export const HASH_BLOCK_SLOTS = 1 << HASH_BLOCK_BITS

/** A power of two, at most half full. */
export function hashSize(count: number): number {
  let size = 16
  while (size < count * 2) size *= 2
  return size
}

export function setKey(field: string, element: string): string {
  return `${field}\0${element}`
}
