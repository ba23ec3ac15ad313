import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import type { Compaction } from '../../ports/upkeep.js'
import { syncDirectory } from '../../system/atomic-write.js'
import { sealSegment } from '../appender.js'
import { eventsKeptFrom } from '../event-age.js'
import { type ChainFiles, listLog, noFiles, type StorePaths, segmentName } from '../layout.js'
import type { Purge } from '../snapshot-format.js'
import { nextStamp } from '../stamp.js'
import type { StoreSettings } from '../store-options.js'
import { lostFiles } from '../uncommitted.js'
import { type BaseContent, baseLines } from './base-lines.js'
import { type FoldedChain, foldChain, newestBase } from './fold-chain.js'
import { isStale, removeStaleTemporaries, writeBase } from './write-base.js'

export interface CompactContext {
  paths: StorePaths
  settings: StoreSettings
  clone: string
  /** All that was ever purged, in any chain. */
  purges: readonly Purge[]
}

/**
 * Replaces the closed segments of the own chain, and its base, by a new base: one line for each entity, stamps kept. Only
 * the directory that writes a chain may do this. Every step leaves a log that says the same.
 */
export function compactChain(context: CompactContext, dryRun: boolean): Compaction {
  const files = filesOf(context)
  const before = sizeOf(context, files)
  const folded = foldChain({
    log: context.paths.log,
    clone: context.clone,
    files,
    now: context.settings.now,
    purges: context.purges,
    lost: lostFiles(context.paths, context.clone),
  })
  const segments = files.segments.filter((number) => number <= folded.upTo).length
  const isNew = folded.upTo > newestBase(files)
  const content = contentOf(context, folded)
  const report = {
    clone: context.clone,
    upTo: folded.upTo,
    segments,
    entities: folded.table.overlay.size,
    before,
    ...(folded.stopped === undefined ? {} : { stopped: folded.stopped }),
  }
  if (dryRun) return { ...report, after: isNew ? expected(context, files, content) : before }
  if (isNew) writeNewBase(context, folded, content)
  removeCovered(context)
  return { ...report, after: sizeOf(context, filesOf(context)) }
}

function filesOf({ paths, clone }: CompactContext): ChainFiles {
  return listLog(paths.log).get(clone) ?? noFiles()
}

function contentOf({ settings, clone }: CompactContext, { table, upTo }: FoldedChain): BaseContent {
  return {
    table,
    upTo,
    eventsFrom: eventsKeptFrom(settings.now(), table.greatest),
    fallbackStamp: stampAfter({ settings, clone }, table.greatest),
  }
}

function stampAfter({ settings, clone }: Pick<CompactContext, 'settings' | 'clone'>, greatest: string) {
  const random = randomId(settings.random.bytes(6), 6)
  return nextStamp({ nowMs: settings.now(), greatest, floor: '', clone, random })
}

function writeNewBase(context: CompactContext, folded: FoldedChain, content: BaseContent): void {
  const { paths, settings, clone } = context
  for (const segment of folded.unsealed) {
    const path = join(paths.log, segmentName(clone, segment))
    sealSegment(path, stampAfter(context, folded.table.greatest), settings.isDurable)
  }
  const attempt = randomId(settings.random.bytes(6), 6)
  const { isDurable, now, onStep, baseLimitBytes: limitBytes } = settings
  writeBase({ log: paths.log, clone, attempt, limitBytes, isDurable, now, onStep }, content)
}

/** Deletes what the newest whole base of the chain stands for. Decided by a new look, never by what we believe to have done. */
function removeCovered(context: CompactContext): void {
  const { paths, settings, clone } = context
  const files = filesOf(context)
  const newest = newestBase(files)
  const doomed = [
    ...files.segments.filter((number) => number <= newest).map((number) => segmentName(clone, number)),
    ...files.bases.filter((number) => number < newest).flatMap((number) => files.baseFiles.get(number) ?? []),
    ...files.strayParts.filter((name) => isStale(join(paths.log, name), Date.now())),
  ]
  for (const name of doomed) {
    settings.onStep('compact:before-delete')
    rmSync(join(paths.log, name), { force: true })
  }
  removeStaleTemporaries(paths.log, Date.now())
  if (settings.isDurable && doomed.length > 0) syncDirectory(paths.log)
  settings.onStep('compact:deleted')
}

function namesOf(clone: string, files: ChainFiles): string[] {
  const segments = files.segments.map((number) => segmentName(clone, number))
  return [...segments, ...[...files.baseFiles.values()].flat()]
}

function sizeOf({ paths, clone }: CompactContext, files: ChainFiles): Compaction['before'] {
  const names = namesOf(clone, files)
  const sizes = names.map((name) => statSync(join(paths.log, name), { throwIfNoEntry: false })?.size ?? 0)
  return { files: names.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

function expected(context: CompactContext, files: ChainFiles, content: BaseContent): Compaction['before'] {
  const left = { ...files, segments: files.segments.filter((number) => number > content.upTo) }
  const rest = sizeOf(context, { ...left, baseFiles: new Map() })
  let bytes = 0
  for (const line of baseLines(content)) bytes += line.length
  const parts = Math.max(1, Math.ceil(bytes / context.settings.baseLimitBytes))
  return { files: rest.files + parts, bytes: rest.bytes + bytes }
}

/** Ends the newest segment of the chain, so that it can be compacted as well. Writers go on in the next one. */
export function sealNewest(context: CompactContext): void {
  const newest = filesOf(context).segments.at(-1)
  if (newest === undefined) return
  const path = join(context.paths.log, segmentName(context.clone, newest))
  sealSegment(path, stampAfter(context, ''), context.settings.isDurable)
}

/** @throws ConflictError code `compaction-runs` */
export function compactionRuns(holder: string): ConflictError {
  return new ConflictError(`the store is being compacted already, by ${holder}`, {
    code: 'compaction-runs',
    hint: 'wait for it, or do nothing: it does the same',
  })
}
