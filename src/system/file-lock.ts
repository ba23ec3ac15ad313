import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { pid as ownPid } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { BugError, ExternalError, TimeoutError } from '../domain/errors.js'
import { isAlive, processStart } from './process-table.js'

export interface FileLockOptions {
  /** How long to wait for the holder. */
  timeoutMs: number
  /** For people, in the error of a time-out: `sending to proj/toast`. */
  purpose?: string
}

/** What a lock file holds. */
export interface LockHolder {
  pid: number
  startTime: string
  /** pids say nothing about another machine, or another container: its locks are left alone. */
  host: string
  nonce: string
  at: string
  purpose?: string
}

const FIRST_WAIT_MS = 4
const LONGEST_WAIT_MS = 100

/**
 * Runs `fn` while this process alone, of all processes that use the same path, holds the lock. Not re-entrant.
 *
 * The lock is a file made by link(), complete from its first moment. The lock of a dead process (pid and start time)
 * is broken: names have no compare-and-swap, so the taker first takes the lock `<path>.break.<nonce of the dead lock>`,
 * reads again, and only then unlinks. That lock is of the same kind, so a breaker that dies is broken likewise.
 *
 * @throws TimeoutError code `lock-timeout`, which says who holds it.
 */
export async function withFileLock<T>(
  path: string,
  options: FileLockOptions,
  fn: () => Promise<T>,
): Promise<T> {
  const lock = await acquire(path, options, performance.now() + options.timeoutMs)
  try {
    return await fn()
  } finally {
    await release(path, lock)
  }
}

async function acquire(path: string, options: FileLockOptions, deadline: number): Promise<LockHolder> {
  const self = ownHolder(options)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 1.5)) {
    if (await tryTake(path, self)) return self
    const holder = await readHolder(path)
    if (holder === undefined) continue
    if (isDead(holder)) {
      await breakLock(path, holder, options, deadline)
      continue
    }
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) throw heldBy(path, holder, options)
    // Random, so that many waiters do not knock in step.
    await sleep(Math.min(leftMs, waitMs * (0.5 + Math.random() / 2)))
  }
}

function ownHolder(options: FileLockOptions): LockHolder {
  const startTime = processStart(ownPid)
  if (startTime === undefined)
    throw new BugError('this process is not in the process table', { code: 'no-own-process' })
  return {
    pid: ownPid,
    startTime,
    host: hostname(),
    nonce: randomBytes(9).toString('hex'),
    at: new Date().toISOString(),
    ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
  }
}

async function tryTake(path: string, self: LockHolder): Promise<boolean> {
  const draft = `${path}.${self.nonce}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify(self))
    } finally {
      await file.close()
    }
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new ExternalError(`cannot take the lock ${path}: ${(error as Error).message}`, {
      code: 'lock-failed',
      details: { path },
      cause: error,
    })
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/** @returns undefined when it is free by now. */
async function readHolder(path: string): Promise<LockHolder | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { pid, startTime, host, nonce, at, purpose } = JSON.parse(text) as Partial<LockHolder>
    if (pid !== undefined && startTime !== undefined && nonce !== undefined && host !== undefined) {
      return { pid, startTime, host, nonce, at: at ?? '', ...(purpose === undefined ? {} : { purpose }) }
    }
  } catch {
    // falls through
  }
  // link() never shows half a file, so this is damage (a crash of the machine): nobody's, and broken like a dead lock.
  return { pid: 0, startTime: '', host: hostname(), nonce: 'damaged', at: '' }
}

function isDead(holder: LockHolder): boolean {
  return holder.host === hostname() && !isAlive(holder.pid, holder.startTime)
}

async function breakLock(
  path: string,
  dead: LockHolder,
  options: FileLockOptions,
  deadline: number,
): Promise<void> {
  const breakPath = `${path}.break.${dead.nonce.replace(/\W/g, '')}`
  const lock = await acquire(breakPath, options, deadline)
  try {
    if ((await readHolder(path))?.nonce === dead.nonce) await unlink(path)
  } finally {
    await release(breakPath, lock)
  }
}

async function release(path: string, lock: LockHolder): Promise<void> {
  // Nobody breaks the lock of a living process; the look protects what a person did by hand.
  if ((await readHolder(path))?.nonce === lock.nonce) await unlink(path).catch(() => undefined)
}

function heldBy(path: string, holder: LockHolder, options: FileLockOptions): TimeoutError {
  const forWhat = holder.purpose === undefined ? '' : ` for ${holder.purpose}`
  return new TimeoutError(
    `no lock after ${options.timeoutMs} ms: process ${holder.pid} holds ${path}${forWhat} since ${holder.at}`,
    { code: 'lock-timeout', details: { path, holder, timeoutMs: options.timeoutMs } },
  )
}
