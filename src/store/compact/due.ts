import { type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import type { UpkeepWork } from '../../ports/upkeep.js'
import { type CloneIdentity, readIdentity } from '../clone-identity.js'
import { listLog, noFiles, segmentName } from '../layout.js'
import type { UpkeepContext } from './compact-store.js'
import { newestBase } from './fold-chain.js'
import { historyDue } from './history-care.js'
import { pendingPurges } from './purge.js'

/** Each open of a store lists them all, and a reader without a snapshot opens each. */
const MANY_SEGMENTS = 64
const DAY_MS = 86_400_000
/** A base is written as a whole, and committed as a whole: not every day for a few lines. */
const PART_OF_BASE = 1 / 8

/** What the store needs by now. Cheap: names and dates of files, and what any reader reads. */
export function workDue(context: UpkeepContext): UpkeepWork[] {
  const identity = readIdentity(context.paths.clone)
  if (identity === undefined) return []
  return [
    ...(isCompactionDue(context, identity) ? ['compact' as const] : []),
    ...historyDue(context, identity),
    ...(pendingPurges(context).length > 0 ? ['purge' as const] : []),
  ]
}

function isCompactionDue({ paths, settings }: UpkeepContext, { clone, createdAt }: CloneIdentity): boolean {
  const files = listLog(paths.log).get(clone) ?? noFiles()
  const base = newestBase(files)
  // The newest is being written.
  const closed = files.segments.filter((number) => number > base).slice(0, -1)
  if (closed.length >= MANY_SEGMENTS) return true
  const baseFiles = (files.baseFiles.get(base) ?? []).map((name) => statOf(paths.log, name))
  const lastMs = baseFiles.at(-1)?.mtimeMs ?? (Date.parse(createdAt) || 0)
  const isWorthIt =
    sumOf(closed.map((number) => statOf(paths.log, segmentName(clone, number)))) >=
    sumOf(baseFiles) * PART_OF_BASE
  return closed.length > 0 && isWorthIt && settings.now() - lastMs > DAY_MS
}

function statOf(log: string, name: string): Stats | undefined {
  return statSync(join(log, name), { throwIfNoEntry: false })
}

function sumOf(stats: readonly (Stats | undefined)[]): number {
  return stats.reduce((sum, stat) => sum + (stat?.size ?? 0), 0)
}
