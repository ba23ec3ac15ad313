import { readdirSync } from 'node:fs'

/** Grows only when an older gt would misread what is written; additions that it may skip do not count. */
export const FORMAT = 1

/** Clone ids are base32 without i, l, o, u, so that they survive being read aloud. */
export const CLONE_PATTERN = '[0-9a-hjkmnp-tv-z]{5}'

/** A base that is cut carries the name of its attempt, so that parts of two attempts never look like one whole. */
export const LOG_FILE = new RegExp(
  `^(${CLONE_PATTERN})-(\\d{6,})(\\.base(?:-([0-9a-z]{6})-(\\d{3,})of(\\d{3,}))?)?\\.jsonl$`,
)

export interface StorePaths {
  root: string
  git: string
  log: string
  blob: string
  cache: string
  local: string
  snapshot: string
  clone: string
}

/** Not by `join`: its first call costs a cold process a tenth of a millisecond. */
export function storePaths(root: string): StorePaths {
  const local = `${root}/local`
  return {
    root,
    git: `${root}/.git`,
    log: `${root}/log`,
    blob: `${root}/blob`,
    cache: `${root}/cache`,
    local,
    snapshot: `${root}/cache/snap`,
    clone: `${local}/clone`,
  }
}

export function segmentName(clone: string, number: number): string {
  return `${clone}-${String(number).padStart(6, '0')}.jsonl`
}

export function baseName(clone: string, upTo: number): string {
  return `${clone}-${String(upTo).padStart(6, '0')}.base.jsonl`
}

/** One part of a base that was cut. In order of names the last part, with the trailer, comes last. */
export function basePartName(
  base: { clone: string; upTo: number; attempt: string },
  part: number,
  of: number,
) {
  const digits = (count: number) => String(count).padStart(3, '0')
  return baseName(base.clone, base.upTo).replace(
    /\.jsonl$/,
    `-${base.attempt}-${digits(part)}of${digits(of)}.jsonl`,
  )
}

export interface ChainFiles {
  /** Ascending numbers. */
  segments: number[]
  /** Ascending; each replaces the segments 1 to its number. Only those of which every part is here. */
  bases: number[]
  /** By number: names of the files of a whole base, the one with the trailer last. */
  baseFiles: Map<number, string[]>
  /** Parts of bases that are not whole: being written, or left by a compaction that was killed. */
  strayParts: string[]
}

export function noFiles(): ChainFiles {
  return { segments: [], bases: [], baseFiles: new Map(), strayParts: [] }
}

/** What `log/` holds, by clone. Files of other names are nobody's business here. */
export function listLog(logDirectory: string): Map<string, ChainFiles> {
  return groupLog(readdirSync(logDirectory))
}

/** Names of files by clone, as listLog. */
export function groupLog(names: Iterable<string>): Map<string, ChainFiles> {
  const chains = new Map<string, ChainFiles>()
  const parts: BasePart[] = []
  for (const name of names) {
    const match = LOG_FILE.exec(name)
    if (match === null) continue
    const clone = match[1] ?? ''
    let files = chains.get(clone)
    if (files === undefined) {
      files = noFiles()
      chains.set(clone, files)
    }
    const number = Number(match[2])
    if (match[3] === undefined) files.segments.push(number)
    else if (match[4] === undefined) files.baseFiles.set(number, [name])
    else parts.push({ files, name, number, set: `${clone} ${number} ${match[4]}`, of: Number(match[6]) })
  }
  addWholeSets(parts)
  for (const files of chains.values()) {
    files.segments.sort(ascending)
    files.bases.push(...files.baseFiles.keys())
    files.bases.sort(ascending)
  }
  return chains
}

interface BasePart {
  files: ChainFiles
  name: string
  number: number
  /** What parts that belong together have in common. */
  set: string
  of: number
}

function addWholeSets(parts: readonly BasePart[]): void {
  const sets = new Map<string, BasePart[]>()
  for (const part of parts) {
    const set = sets.get(part.set)
    if (set === undefined) sets.set(part.set, [part])
    else set.push(part)
  }
  for (const set of sets.values()) {
    const [{ files, number, of } = { files: noFiles(), number: 0, of: 0 }] = set
    const names = set.map(({ name }) => name).sort()
    // A second whole one of the same number says the same.
    if (set.length === of && !files.baseFiles.has(number)) files.baseFiles.set(number, names)
    else files.strayParts.push(...names)
  }
}

function ascending(a: number, b: number): number {
  return a - b
}
