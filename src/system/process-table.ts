import { readdirSync, readFileSync } from 'node:fs'
import { kill } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { ExternalError } from '../domain/errors.js'

/**
 * One process, not just a number: a pid is used again after its process ended, pid and start time together are not.
 * `startTime` is opaque: clock ticks since boot on Linux (field 22 of /proc/<pid>/stat), a date on other systems.
 */
export interface ProcessRef {
  pid: number
  startTime: string
}

export interface ProcessEntry extends ProcessRef {
  parentPid: number
  /** Leader's pid of the process's session; undefined where the system does not tell. */
  sessionId?: number
}

/**
 * /proc is memory: reading it synchronously is several times faster than by promises, and never waits for a disk.
 * Where it is absent (macOS), `ps` answers.
 */
const PROC = '/proc'

/** The live process with this pid. Zombies count as gone, here and below. */
export function findProcess(pid: number, procDir = PROC): ProcessEntry | undefined {
  const text = readStat(procDir, pid)
  if (text !== undefined) return parseStat(text)
  if (hasProc(procDir)) return undefined
  return readPs(['-p', String(pid)]).find((entry) => entry.pid === pid)
}

/** @returns undefined when there is no such live process. Holds no ":" or space, so that it can be part of a token. */
export function processStart(pid: number, procDir = PROC): string | undefined {
  return findProcess(pid, procDir)?.startTime
}

export function isAlive(pid: number, startTime: string, procDir = PROC): boolean {
  return processStart(pid, procDir) === startTime
}

/** All live processes, in one scan. */
export function snapshotProcesses(procDir = PROC): ProcessEntry[] {
  return hasProc(procDir) ? readProc(procDir) : readPs(['-e'])
}

/** Children, their children and so on; nearest first, without `pid` itself. */
export function descendants(pid: number, procDir = PROC): ProcessEntry[] {
  return descendantsIn(snapshotProcesses(procDir), pid)
}

export function descendantsIn(entries: readonly ProcessEntry[], pid: number): ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>()
  for (const entry of entries) {
    const siblings = children.get(entry.parentPid)
    if (siblings === undefined) children.set(entry.parentPid, [entry])
    else siblings.push(entry)
  }
  const found: ProcessEntry[] = []
  const seen = new Set([pid])
  const queue = [pid]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const child of children.get(next) ?? []) {
      if (seen.has(child.pid)) continue
      seen.add(child.pid)
      found.push(child)
      queue.push(child.pid)
    }
  }
  return found
}

/** @returns undefined for a zombie. The program's name stands in parentheses and may itself hold ") 1 2 (". */
export function parseStat(text: string): ProcessEntry | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parentPid, , sessionId] = fields
  const startTime = fields[19]
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined
  return {
    pid: Number.parseInt(text, 10),
    parentPid: Number(parentPid),
    sessionId: Number(sessionId),
    startTime: startTime.trim(),
  }
}

function readStat(procDir: string, pid: number | 'self'): string | undefined {
  try {
    return readFileSync(`${procDir}/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
}

function hasProc(procDir: string): boolean {
  return readStat(procDir, 'self') !== undefined
}

function readProc(procDir: string): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const name of readdirSync(procDir)) {
    if (!/^\d+$/.test(name)) continue
    const text = readStat(procDir, Number(name))
    const entry = text === undefined ? undefined : parseStat(text)
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

function readPs(which: readonly string[]): ProcessEntry[] {
  const argv = ['ps', ...which, '-o', 'pid=,ppid=,stat=,lstart=']
  // Loaded here, because every command reads this file's /proc half and none needs this one on Linux.
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const { error, status, stdout, stderr } = spawnSync('ps', argv.slice(1), {
    encoding: 'utf8',
    timeout: 10_000,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  })
  // Exit code 1 without a word: no such process.
  if (error === undefined && (status === 0 || (status === 1 && stderr === ''))) return parsePs(stdout)
  throw new ExternalError('ps does not say which processes run', {
    code: 'process-table-failed',
    details: { argv, exitCode: status, stderr },
    cause: error,
  })
}

export function parsePs(text: string): ProcessEntry[] {
  const entries: ProcessEntry[] = []
  for (const line of text.split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line)
    if (match === null || match[3]?.startsWith('Z')) continue
    entries.push({
      pid: Number(match[1]),
      parentPid: Number(match[2]),
      startTime: (match[4] ?? '').replace(/[^\w]+/g, '-'),
    })
  }
  return entries
}

export interface SignalReport {
  signalled: { pid: number; signal: string }[]
  /** Alive even after SIGKILL: waiting for a disk, as a rule. */
  survivors: ProcessRef[]
}

export interface SignalTreeOptions {
  /** Gets the gentle signals first and alone, so that it can end its children its own way. */
  root?: ProcessRef | undefined
  /** Everything else that belongs to the tree. */
  members: readonly ProcessRef[]
  /** From the gentle signals to SIGKILL. */
  graceMs: number
}

const POLL_MS = 25
/** SIGKILL is not refused, but a process deep in the kernel may take a moment. */
const KILL_WAIT_MS = 3000

/**
 * Ends exactly these processes, and those that they start meanwhile. First SIGTERM to the root (SIGCONT for what was
 * frozen), to the others once the root is gone; after half the grace SIGHUP, for shells ignore the first (not at once: most
 * programs have no handler for it and would lose the end that they began); at last SIGKILL.
 */
export async function signalTree(options: SignalTreeOptions): Promise<SignalReport> {
  const tree = trackTree(options)
  const started = performance.now()
  let alive = tree.live()
  while (alive.length > 0 && performance.now() - started < options.graceMs) {
    const root = alive.filter(tree.isRoot)
    const now = root.length > 0 ? root : alive
    tree.signalOnce(now, 'SIGTERM')
    tree.signalOnce(alive, 'SIGCONT')
    if (performance.now() - started > options.graceMs / 2) tree.signalOnce(now, 'SIGHUP')
    await sleep(POLL_MS)
    alive = tree.live()
  }
  const forced = performance.now()
  while (alive.length > 0 && performance.now() - forced < KILL_WAIT_MS) {
    tree.signalOnce(alive, 'SIGKILL')
    await sleep(POLL_MS)
    alive = tree.live()
  }
  return {
    signalled: tree.signalled,
    survivors: alive.map(({ pid, startTime }) => ({ pid, startTime })),
  }
}

function trackTree(options: SignalTreeOptions) {
  const { root, members } = options
  const known = new Set((root === undefined ? members : [root, ...members]).map(key))
  const told = new Set<string>()
  const signalled: SignalReport['signalled'] = []
  return {
    signalled,
    isRoot: (ref: ProcessRef) => root !== undefined && key(ref) === key(root),
    /** Those of the known that live, and what they started. */
    live(): ProcessRef[] {
      const entries = snapshotProcesses()
      const alive = entries.filter((entry) => known.has(key(entry)))
      for (const entry of [...alive]) {
        for (const child of descendantsIn(entries, entry.pid)) {
          if (known.has(key(child))) continue
          known.add(key(child))
          alive.push(child)
        }
      }
      return alive
    },
    signalOnce(refs: readonly ProcessRef[], signal: NodeJS.Signals) {
      for (const ref of refs) {
        const what = `${key(ref)} ${signal}`
        if (told.has(what)) continue
        told.add(what)
        if (trySignal(ref.pid, signal) && signal !== 'SIGCONT') signalled.push({ pid: ref.pid, signal })
      }
    },
  }
}

function key(ref: ProcessRef): string {
  return `${ref.pid} ${ref.startTime}`
}

/** @returns false when the process is gone, or is not ours to signal. */
export function trySignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return kill(pid, signal)
  } catch {
    return false
  }
}
