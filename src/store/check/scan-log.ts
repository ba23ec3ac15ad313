import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { groupLog, LOG_FILE, type StorePaths } from '../layout.js'
import { errorCode } from '../segment-bytes.js'
import { type Scan, scanLines } from './scan-lines.js'

export interface LogFile {
  name: string
  clone: string
  number: number
  /** A base, or a part of one: replaces the segments 1 to its number. */
  isBase: boolean
}

export interface ScannedFile extends LogFile, Scan {
  bytes: Buffer
  /** Why it cannot be read: `EACCES`, `EISDIR`, … Then it holds nothing. */
  unreadable?: string
}

/** One clone's files, bases first, then by number. */
export interface ScannedChain {
  clone: string
  files: ScannedFile[]
  /** Greatest number of a whole base; 0: there is none. */
  base: number
  /** Names of the files of that base. */
  baseFiles: string[]
}

export function parseLogName(name: string): LogFile | undefined {
  const match = LOG_FILE.exec(name)
  if (match === null) return undefined
  return { name, clone: match[1] ?? '', number: Number(match[2]), isBase: match[3] !== undefined }
}

const MAX_LISTINGS = 10

/** Reads the whole log. @throws the file system's own error when `log/` itself cannot be listed */
export function scanLog(paths: StorePaths): Map<string, ScannedChain> {
  for (let listings = 1; ; listings++) {
    const names = readdirSync(paths.log).sort()
    const chains = scanNames(paths, names)
    // Compaction deletes and names files while we read: only what stands for one moment can be judged.
    const isSame = names.join() === readdirSync(paths.log).sort().join()
    if (isSame || listings === MAX_LISTINGS) return chains
  }
}

function scanNames(paths: StorePaths, names: readonly string[]): Map<string, ScannedChain> {
  const chains = new Map<string, ScannedChain>()
  for (const [clone, { bases, baseFiles }] of groupLog(names)) {
    const base = bases.at(-1) ?? 0
    chains.set(clone, { clone, files: [], base, baseFiles: baseFiles.get(base) ?? [] })
  }
  for (const name of names) {
    const file = parseLogName(name)
    const scanned = file === undefined ? undefined : scanFile(paths, file)
    if (scanned !== undefined) chains.get(scanned.clone)?.files.push(scanned)
  }
  for (const chain of chains.values()) chain.files.sort(inOrder)
  return chains
}

/** @returns undefined when it is gone by now */
function scanFile(paths: StorePaths, file: LogFile): ScannedFile | undefined {
  try {
    const bytes = readFileSync(join(paths.log, file.name))
    return { ...file, bytes, ...scanLines(bytes) }
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined) throw error
    if (code === 'ENOENT') return undefined
    return {
      ...file,
      bytes: Buffer.alloc(0),
      lines: [],
      junk: [],
      unfinishedBytes: 0,
      unreadable: code,
    }
  }
}

function inOrder(a: LogFile, b: LogFile): number {
  if (a.isBase !== b.isBase) return a.isBase ? -1 : 1
  return a.number - b.number
}

/** Segments that count: those a base covers are left over and wait to be deleted. */
export function countingFiles(chain: ScannedChain): ScannedFile[] {
  return chain.files.filter(({ isBase, number }) => (isBase ? number === chain.base : number > chain.base))
}
