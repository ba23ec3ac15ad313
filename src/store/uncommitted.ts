import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CloneIdentity } from './clone-identity.js'
import { listLog, noFiles, type StorePaths, segmentName } from './layout.js'
import { NEWLINE } from './record-line.js'
import { isMissing, readTail } from './segment-bytes.js'
import { isStamp, stampMs } from './stamp.js'

/** local/history: what the last commit held, so that "is there anything new" needs no git. Only a note: git decides. */
export interface HistoryNote {
  commit: string
  /** Milliseconds since the epoch. */
  at: number
  /** Made so far, as far as this note was kept. */
  commits: number
  /** Committed bytes of each own file. */
  files: Record<string, number>
  /** Files that did not begin any more with what was committed of them. */
  refused?: string[]
}

export function historyNotePath(paths: StorePaths): string {
  return join(paths.local, 'history')
}

export function readHistoryNote(paths: StorePaths): HistoryNote {
  const none: HistoryNote = { commit: '', at: 0, commits: 0, files: {} }
  let text: string
  try {
    text = readFileSync(historyNotePath(paths), 'utf8')
  } catch (error) {
    if (isMissing(error)) return none
    throw error
  }
  try {
    const note = JSON.parse(text) as Partial<HistoryNote> | null
    return { ...none, ...note }
  } catch {
    return none
  }
}

/** Names in `log/` of one chain: bases, then segments, each ascending. */
export function chainFiles(paths: StorePaths, clone: string): string[] {
  const files = listLog(paths.log).get(clone) ?? noFiles()
  return [
    ...files.bases.flatMap((number) => files.baseFiles.get(number) ?? []),
    ...files.segments.map((number) => segmentName(clone, number)),
  ]
}

/** Names in `log/` that this directory wrote, under its present and former clone ids. */
function ownFiles(paths: StorePaths, identity: CloneIdentity): string[] {
  return [identity.clone, ...identity.formerly].flatMap((clone) => chainFiles(paths, clone))
}

const NUMBERED = /^(.*)-(\d{6,})(\.base.*)?\.jsonl$/

/** Whether a base among `names` stands for the file, so that it may be gone. */
export function isReplaced(name: string, names: readonly string[]): boolean {
  const [, clone, number, base] = NUMBERED.exec(name) ?? []
  return names.some((other) => {
    const match = NUMBERED.exec(other)
    if (match?.[3] === undefined || match[1] !== clone) return false
    return base === undefined ? Number(match[2]) >= Number(number) : Number(match[2]) > Number(number)
  })
}

/**
 * Files of the own chain that hold less than was committed of them, by their sizes alone, and those that a commit found
 * changed. Costs no more than a look at the names and sizes. Not asked of former ids: their chains may be the remote's by now.
 */
export function lostFiles(paths: StorePaths, clone: string): string[] {
  const note = readHistoryNote(paths)
  const names = chainFiles(paths, clone)
  const lost = Object.entries(note.files)
    .filter(([name]) => name.startsWith(`${clone}-`))
    .filter(([name, committed]) =>
      names.includes(name)
        ? (statSync(join(paths.log, name), { throwIfNoEntry: false })?.size ?? committed) < committed
        : !isReplaced(name, names),
    )
    .map(([name]) => name)
  const refused = (note.refused ?? []).filter((name) => name.startsWith(`${clone}-`))
  return [...new Set([...lost, ...refused])].sort()
}

/** @returns how long the oldest uncommitted record has been waiting; undefined when nothing waits */
export function uncommittedForMs(
  paths: StorePaths,
  identity: CloneIdentity,
  nowMs: number,
): number | undefined {
  const note = readHistoryNote(paths)
  const names = ownFiles(paths, identity)
  // Compacted since: the commit would delete them.
  const isCompacted = Object.keys(note.files).some((name) => !names.includes(name))
  return (
    waitingForMs({ paths, names, note, nowMs }) ?? (isCompacted ? Math.max(0, nowMs - note.at) : undefined)
  )
}

/** @returns how long the oldest record that is not in the files of `note` has been waiting; undefined: none is */
export function waitingForMs(question: {
  paths: StorePaths
  names: readonly string[]
  note: Pick<HistoryNote, 'at' | 'files'>
  nowMs: number
}): number | undefined {
  const { paths, names, note, nowMs } = question
  const waiting = names
    .map((name) => waitingSince(join(paths.log, name), note.files[name] ?? 0, note.at))
    .filter((since) => since !== undefined)
  return waiting.length === 0 ? undefined : Math.max(0, nowMs - Math.min(...waiting))
}

/** @returns undefined when no whole line lies beyond `committed` */
function waitingSince(path: string, committed: number, committedAt: number): number | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? committed
  if (size === committed) return undefined
  if (size < committed) return committedAt
  const rest = readTail({ path, offset: committed, guard: Buffer.alloc(0) })
  if (!rest.includes(NEWLINE)) return undefined
  const stamp = /\{"t":"([^"]{42})"/.exec(rest.toString('latin1', 0, STAMP_WITHIN_BYTES))?.[1]
  return isStamp(stamp) ? stampMs(stamp) : committedAt
}

/** A line starts with its stamp; before it at most a newline or the rest of a torn line. */
const STAMP_WITHIN_BYTES = 4096
