import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ChainCursor, newCursor } from '../chain-cursor.js'
import { advanceChain } from '../chain-reader.js'
import { joinPurge } from '../entity-state.js'
import { EntityTable } from '../entity-table.js'
import { type ChainFiles, FORMAT, segmentName } from '../layout.js'
import type { Purge } from '../snapshot-format.js'

/** What one chain alone says, up to and with segment `upTo`. */
export interface FoldedChain {
  table: EntityTable
  upTo: number
  /** Of the covered segments, those whose seal is missing. */
  unsealed: number[]
  /** Why the segments after `upTo` were left alone, when it is not that they are still being written. */
  stopped?: { segment: number; why: string }
}

export interface ChainPlace {
  log: string
  clone: string
  files: ChainFiles
  now: () => number
  /** All that was ever purged, in any chain. */
  purges: readonly Purge[]
  /** Names of files that no longer hold what was committed of them: in a base the loss would be for good. */
  lost: readonly string[]
}

/**
 * Folds what a new base of the chain may cover: its newest base and the closed segments behind it, as far as every line of
 * them was understood. What cannot be read may be mended from a copy later, and what this version does not know means
 * something to a newer one; neither may be lost in a base.
 */
export function foldChain(place: ChainPlace): FoldedChain {
  const candidates = closedSegments(place)
  const isWhole = candidates[0] === undefined || candidates[0] === newestBase(place.files) + 1
  const folded = isWhole
    ? foldSegments(place, candidates)
    : stopAt(place, [], newestBase(place.files) + 1, 'the segment is missing')
  for (const purge of place.purges) applyPurge(folded.table, purge)
  return folded
}

/** The chain that asked for it may be another clone's; what ours holds of it must go all the same. */
export function applyPurge(table: EntityTable, { id, what, stamp }: Purge): void {
  const state = table.find(id)
  if (state !== undefined) joinPurge(state, what, stamp)
  table.notePurge(id, what, stamp)
}

export function newestBase(files: ChainFiles): number {
  return files.bases.at(-1) ?? 0
}

/** Without a gap, and without the newest unless it looks sealed. */
function closedSegments({ log, clone, files }: ChainPlace): number[] {
  const newer = files.segments.filter((number) => number > newestBase(files))
  const gap = newer.findIndex((number, i) => i > 0 && number !== (newer[i - 1] ?? 0) + 1)
  const row = gap < 0 ? newer : newer.slice(0, gap)
  const last = row.at(-1)
  if (last === undefined || gap >= 0) return row
  return hasSeal(join(log, segmentName(clone, last))) ? row : row.slice(0, -1)
}

/** In a text of somebody the quotes would be escaped. */
function hasSeal(path: string): boolean {
  return readFileSync(path).includes('[{"o":"seal"}]')
}

function foldSegments(place: ChainPlace, segments: readonly number[]): FoldedChain {
  const table = new EntityTable(undefined, place.now)
  const cursor = newCursor(place.clone)
  const target = { logDirectory: place.log, table }
  const base = { ...place.files, segments: [] }
  advanceChain(target, cursor, base)
  if (isDamaged(table)) return refused(place, 'its base is damaged')
  const unsealed: number[] = []
  for (const [index, segment] of segments.entries()) {
    advanceChain(target, cursor, { ...base, segments: [segment] })
    const isLost = place.lost.includes(segmentName(place.clone, segment))
    const why = isLost ? 'it lost something that was committed (gt doctor)' : reasonToStop(table)
    if (why !== undefined) return stopAt(place, segments.slice(0, index), segment, why)
    if (cursor.sealed) continue
    // Nobody writes there any more when a later one exists.
    if (!place.files.segments.some((number) => number > segment)) {
      return foldSegments(place, segments.slice(0, index))
    }
    unsealed.push(segment)
  }
  return { table, upTo: coveredBy(cursor), unsealed }
}

function coveredBy(cursor: ChainCursor): number {
  return Math.max(cursor.base, cursor.segment)
}

function isDamaged({ damage }: EntityTable): boolean {
  return damage.badLines > 0 || damage.unknownOps > 0
}

/** @returns what in a fold forbids to put something else in the place of the lines */
export function reasonToStop({ damage, format }: EntityTable): string | undefined {
  if (format > FORMAT) return 'a newer gt wrote it'
  if (damage.badLines > 0) return 'it holds a damaged line'
  return damage.unknownOps > 0 ? 'it holds ops that this version does not know' : undefined
}

function stopAt(place: ChainPlace, before: readonly number[], segment: number, why: string): FoldedChain {
  return { ...foldSegments(place, before), stopped: { segment, why } }
}

function refused(place: ChainPlace, why: string): FoldedChain {
  const upTo = newestBase(place.files)
  return { table: new EntityTable(undefined, place.now), upTo, unsealed: [], stopped: { segment: upTo, why } }
}
