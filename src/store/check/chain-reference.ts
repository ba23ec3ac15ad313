import { objectName } from '../object-name.js'
import {
  type CommittedBranch,
  type CommittedFile,
  fileVersions,
  type Repository,
  readObject,
} from './committed-files.js'
import { mergeLines } from './merge-lines.js'
import { type Line, scanLines } from './scan-lines.js'
import type { ScannedChain, ScannedFile } from './scan-log.js'
import { parseLogName } from './scan-log.js'

/** What history knows of the files of one chain that are not what was committed. */
export interface ChainReference {
  /** Segments: every line of any committed version, in order. */
  segments: Map<string, Line[]>
  /** Bases: the bytes as they were committed. */
  bases: Map<string, Buffer>
  /** Names that do not begin with what our own branch holds of them, or are gone: no commit takes them as they are. */
  changed: Set<string>
}

/** Compares by hash, and fetches lines only of files that are damaged or not what was committed. */
export async function chainReference(
  at: Repository,
  chain: ScannedChain,
  committed: readonly CommittedBranch[],
): Promise<ChainReference> {
  const reference: ChainReference = { segments: new Map(), bases: new Map(), changed: new Set() }
  const commits = committed.map(({ commit }) => commit)
  for (const [name, versions] of wantedFiles(chain, committed)) {
    const live = chain.files.find((file) => file.name === name)
    const isBase = parseLogName(name)?.isBase === true
    const differing = versions.filter((version) => !holds(live, version, isBase))
    const isChanged = differing.length > 0
    if (differing.some(({ isOwn }) => isOwn)) reference.changed.add(name)
    if (!isChanged && live?.junk.every(({ kind }) => kind === 'torn') === true) continue
    if (isBase) await addBase(at, reference, name, versions)
    else reference.segments.set(name, await committedLines(at, commits, name))
  }
  return reference
}

interface Version extends CommittedFile {
  isOwn: boolean
}

/** Committed versions by name; without what a base has replaced since. */
function wantedFiles(chain: ScannedChain, committed: readonly CommittedBranch[]): Map<string, Version[]> {
  const wanted = new Map<string, Version[]>()
  for (const { files, isOwn } of committed) {
    for (const [path, version] of files) {
      const name = path.startsWith('log/') ? path.slice('log/'.length) : ''
      const file = parseLogName(name)
      if (file === undefined || file.clone !== chain.clone) continue
      const isReplaced = file.isBase ? isBaseReplaced(chain, file.number) : file.number <= chain.base
      if (!isReplaced) wanted.set(name, [...(wanted.get(name) ?? []), { ...version, isOwn }])
    }
  }
  return wanted
}

/** By a newer base, or because all that it stands for is still there in segments. */
function isBaseReplaced(chain: ScannedChain, number: number): boolean {
  if (chain.base !== 0) return number < chain.base
  const segments = new Set(chain.files.map((file) => file.number))
  for (let covered = 1; covered <= number; covered++) if (!segments.has(covered)) return false
  return true
}

/** An append-only file begins with whatever was committed of it. */
function holds(live: ScannedFile | undefined, version: CommittedFile, isBase: boolean): boolean {
  if (live === undefined || live.unreadable !== undefined) return false
  if (live.bytes.length < version.sizeBytes || (isBase && live.bytes.length !== version.sizeBytes))
    return false
  return objectName(live.bytes.subarray(0, version.sizeBytes)) === version.blob
}

async function addBase(
  at: Repository,
  reference: ChainReference,
  name: string,
  versions: readonly CommittedFile[],
): Promise<void> {
  for (const { blob } of versions) {
    const bytes = await readObject(at, blob)
    if (bytes !== undefined && scanLines(bytes).junk.length === 0) reference.bases.set(name, bytes)
  }
}

async function committedLines(at: Repository, commits: readonly string[], name: string): Promise<Line[]> {
  const known = new Map<string, Line>()
  let order: string[] = []
  for (const bytes of await fileVersions(at, commits, `log/${name}`)) {
    const { lines } = scanLines(bytes)
    for (const line of lines) known.set(line.text, line)
    order = mergeLines(
      order,
      lines.map(({ text }) => text),
    )
  }
  return order.flatMap((text) => known.get(text) ?? [])
}
