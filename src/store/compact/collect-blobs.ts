import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ChainSize } from '../../ports/upkeep.js'
import type { StorePaths } from '../layout.js'
import { isMissing } from '../segment-bytes.js'

const BLOB_NAME = /^[0-9a-f]{64}$/
/** As it stands in a line. In a text the quotes would be escaped. */
const REFERENCE = /"\$blob":"([0-9a-f]{64})"/g
/** A blob is written before the line that names it, on another clone perhaps long before the line arrives here. */
const YOUNG_MS = 86_400_000

export interface CollectOptions {
  nowMs: number
  dryRun: boolean
  /** Default: a day. */
  minAgeMs?: number
}

/**
 * Deletes blobs that no line of any chain names, and that nobody touched for long.
 * @returns what was (or would be) deleted
 */
export function collectBlobs(paths: StorePaths, options: CollectOptions): ChainSize {
  const old = readdirSync(paths.blob).filter((name) => BLOB_NAME.test(name) && isOld(paths, name, options))
  const deleted: ChainSize = { files: 0, bytes: 0 }
  if (old.length === 0) return deleted
  const named = namedBlobs(paths)
  for (const name of old) {
    const path = join(paths.blob, name)
    // Looked at again: a writer that finds a blob it needs touches it.
    if (named.has(name) || !isOld(paths, name, options)) continue
    deleted.files++
    deleted.bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (!options.dryRun) rmSync(path, { force: true })
  }
  return deleted
}

function isOld({ blob }: StorePaths, name: string, { nowMs, minAgeMs = YOUNG_MS }: CollectOptions): boolean {
  const stat = statSync(join(blob, name), { throwIfNoEntry: false })
  return stat !== undefined && nowMs - stat.mtimeMs > minAgeMs
}

/** By any file of the log, whether or not it counts. */
export function namedBlobs({ log }: StorePaths): Set<string> {
  const named = new Set<string>()
  for (const name of readdirSync(log)) {
    for (const match of textOf(join(log, name)).matchAll(REFERENCE)) named.add(match[1] ?? '')
  }
  return named
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    // Compacted since: what it named is in the base.
    if (isMissing(error)) return ''
    throw error
  }
}
