import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Grows only when an older gt would misread what is written; additions that it may skip do not count. */
export const FORMAT = 1

/** Clone ids are base32 without i, l, o, u, so that they survive being read aloud. */
export const CLONE_PATTERN = '[0-9a-hjkmnp-tv-z]{5}'

const LOG_FILE = new RegExp(`^(${CLONE_PATTERN})-(\\d{6,})(\\.base)?\\.jsonl$`)

export interface StorePaths {
  root: string
  git: string
  log: string
  blob: string
  archive: string
  eph: string
  live: string
  cache: string
  local: string
  snapshot: string
  clone: string
}

export function storePaths(root: string): StorePaths {
  const cache = join(root, 'cache')
  const local = join(root, 'local')
  return {
    root,
    git: join(root, '.git'),
    log: join(root, 'log'),
    blob: join(root, 'blob'),
    archive: join(root, 'archive'),
    eph: join(root, 'eph'),
    live: join(root, 'live'),
    cache,
    local,
    snapshot: join(cache, 'snap'),
    clone: join(local, 'clone'),
  }
}

export function segmentName(clone: string, number: number): string {
  return `${clone}-${String(number).padStart(6, '0')}.jsonl`
}

export function baseName(clone: string, upTo: number): string {
  return `${clone}-${String(upTo).padStart(6, '0')}.base.jsonl`
}

export interface ChainFiles {
  /** Ascending numbers. */
  segments: number[]
  /** Ascending; each replaces the segments 1 to its number. */
  bases: number[]
}

/** What `log/` holds, by clone. Files of other names are nobody's business here. */
export function listLog(logDirectory: string): Map<string, ChainFiles> {
  const chains = new Map<string, ChainFiles>()
  for (const name of readdirSync(logDirectory)) {
    const match = LOG_FILE.exec(name)
    if (match === null) continue
    const clone = match[1] ?? ''
    let files = chains.get(clone)
    if (files === undefined) {
      files = { segments: [], bases: [] }
      chains.set(clone, files)
    }
    ;(match[3] === undefined ? files.segments : files.bases).push(Number(match[2]))
  }
  for (const files of chains.values()) {
    files.segments.sort(ascending)
    files.bases.sort(ascending)
  }
  return chains
}

function ascending(a: number, b: number): number {
  return a - b
}
