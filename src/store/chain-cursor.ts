import { GUARD_BYTES } from './segment-bytes.js'

/** How far one clone's chain of files has been read. */
export interface ChainCursor {
  readonly clone: string
  /** Segments 1 to this are covered by a base file that was read, or were read before it appeared; 0: none. */
  base: number
  /** Segment being read; 0: nothing read yet. */
  segment: number
  /** First byte of it not read yet. */
  offset: number
  /** Its seal was read: what follows in it is void. */
  sealed: boolean
  /** Ranges of segment numbers that were missing. When one turns up, everything is read again. */
  gaps: [from: number, to: number][]
  /** The last bytes before `offset`: shows whether the file is still the one that was read. */
  guard: Buffer
  /** Whether the guard was compared since this cursor was loaded from a snapshot. */
  isVerified: boolean
}

export interface SavedChain {
  clone: string
  base: number
  segment: number
  offset: number
  sealed: boolean
  gaps: [number, number][]
  /** base64 */
  guard: string
}

export function newCursor(clone: string): ChainCursor {
  return {
    clone,
    base: 0,
    segment: 0,
    offset: 0,
    sealed: false,
    gaps: [],
    guard: Buffer.alloc(0),
    isVerified: true,
  }
}

export function saveCursor(cursor: ChainCursor): SavedChain {
  const { clone, base, segment, offset, sealed, gaps, guard } = cursor
  return { clone, base, segment, offset, sealed, gaps, guard: guard.toString('base64') }
}

export function loadCursor(saved: SavedChain): ChainCursor {
  return { ...saved, guard: Buffer.from(saved.guard, 'base64'), isVerified: false }
}

export function enterSegment(cursor: ChainCursor, number: number): void {
  cursor.segment = number
  cursor.offset = 0
  cursor.sealed = false
  cursor.guard = Buffer.alloc(0)
  cursor.isVerified = true
}

/** Moves past `consumed`, the bytes that end at the new offset. */
export function advanceCursor(cursor: ChainCursor, consumed: Buffer): void {
  cursor.offset += consumed.length
  const kept = consumed.length >= GUARD_BYTES ? consumed : Buffer.concat([cursor.guard, consumed])
  // A copy: the slice would keep the whole read buffer alive.
  cursor.guard = Buffer.from(kept.subarray(Math.max(0, kept.length - GUARD_BYTES)))
}
