import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { UpkeepWork } from '../../ports/upkeep.js'
import { type CloneIdentity, readIdentity } from '../clone-identity.js'
import { listLog, noFiles } from '../layout.js'
import type { UpkeepContext } from './compact-store.js'
import { newestBase } from './fold-chain.js'
import { historyDue } from './history-care.js'
import { pendingPurges } from './purge.js'

/** Each open of a store lists them all, and a reader without a snapshot opens each. */
const MANY_SEGMENTS = 64
const DAY_MS = 86_400_000

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
  const closed = files.segments.filter((number) => number > base).length - 1
  if (closed >= MANY_SEGMENTS) return true
  if (closed < 1) return false
  const name = files.baseFiles.get(base)?.at(-1)
  const stat = name === undefined ? undefined : statSync(join(paths.log, name), { throwIfNoEntry: false })
  return settings.now() - (stat?.mtimeMs ?? (Date.parse(createdAt) || 0)) > DAY_MS
}
