import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { ExternalError, TimeoutError } from '../domain/errors.js'
import type { Answer, FileFingerprint, Host, ShellRequest, ShellResult } from '../ports/host.js'
import { writeAtomically } from './atomic-write.js'
import type { LockHolder } from './file-lock.js'
import { isAlive, processStart } from './process-table.js'

export interface HostOptions {
  pid: number
  /** Absolute path of gt's launcher. */
  gtProgram: string
  townRoot: string
  runDir: string
  bellDir: string
  env: Readonly<Record<string, string | undefined>>
}

/** Processes and locks load when they are first used: most commands that agents call all day need neither. */
export function createHost(options: HostOptions): Host {
  let token: string | undefined
  return {
    get processToken() {
      token ??= `${options.pid}:${processStart(options.pid) ?? 0}`
      return token
    },
    get machineName() {
      return hostname()
    },
    isProcessAlive(other) {
      const [pid, start] = other.split(':')
      const number = Number(pid)
      if (!Number.isInteger(number) || number <= 0 || start === undefined) return false
      return isAlive(number, start)
    },
    findProgram,
    nodeVersion: process.versions.node,
    async ask(argv, { timeoutMs, cwd }): Promise<Answer> {
      const { tryRun } = await import('./run.js')
      try {
        const env = askingEnv(options.env)
        const result = await tryRun(argv, { timeoutMs, env, ...(cwd === undefined ? {} : { cwd }) })
        return { kind: 'said', ...result }
      } catch (error) {
        if (error instanceof TimeoutError) return { kind: 'silent' }
        if (error instanceof ExternalError && error.code === 'missing-binary') return { kind: 'absent' }
        throw error
      }
    },
    async startInBackground(args, logName) {
      const { spawn } = await import('node:child_process')
      const log = join(options.runDir, 'logs', `${logName}.log`)
      mkdirSync(dirname(log), { recursive: true, mode: 0o700 })
      const output = openSync(log, 'a', 0o600)
      const child = spawn(options.gtProgram, [...args, '--town', options.townRoot], {
        cwd: options.townRoot,
        detached: true,
        stdio: ['ignore', output, output],
        // The background worker acts for the town, not for the agent that happened to start it.
        env: withoutIdentity(options.env),
      })
      child.on('error', () => {})
      child.unref()
      closeSync(output)
    },
    async runShell(request: ShellRequest): Promise<ShellResult> {
      const { runShell } = await import('./run-shell.js')
      return runShell(request)
    },
    async runProgram(argv, { cwd, timeoutMs }) {
      const { tryRun } = await import('./run.js')
      const env = Object.entries(options.env).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      )
      return tryRun(argv, { cwd, timeoutMs, env: Object.fromEntries(env) })
    },
    async endMarked(mark) {
      const { endMarked } = await import('./end-marked.js')
      return (await endMarked(mark, 2_000)).signalled.length
    },
    async withLock(name, waitMs, work) {
      const { withFileLock } = await import('./file-lock.js')
      const path = join(options.runDir, 'locks', `${name}.lock`)
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      // Told apart from a time-out inside `work` by whether it was ever entered.
      let entered = false
      try {
        const value = await withFileLock(path, { timeoutMs: waitMs }, () => {
          entered = true
          return work()
        })
        return { kind: 'done', value }
      } catch (error) {
        if (entered || !(error instanceof TimeoutError)) throw error
        return { kind: 'busy', by: holderOf(error) }
      }
    },
    isDue(name, periodMs) {
      const path = join(options.runDir, 'due', name)
      const last = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
      // A mark from the future is that of a clock that was set back since.
      if (Math.abs(Date.now() - last) < periodMs) return false
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(path, '')
      const now = new Date()
      utimesSync(path, now, now)
      return true
    },
    writeFile(path, text) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      const temporary = `${path}.${options.pid}.tmp`
      try {
        writeFileSync(temporary, text, { mode: 0o644 })
        renameSync(temporary, path)
      } catch (error) {
        rmSync(temporary, { force: true })
        throw error
      }
    },
    readFile(path) {
      try {
        return readFileSync(path, 'utf8')
      } catch {
        return undefined
      }
    },
    readBytes(path) {
      try {
        return readFileSync(path)
      } catch {
        return undefined
      }
    },
    writeBytes: (path, bytes) =>
      writeAtomically(path, bytes, { temporary: `${path}.${options.pid}.tmp`, mode: 0o644 }),
    fingerprint,
    listFolder(path) {
      try {
        const entries = readdirSync(path, { withFileTypes: true })
        return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort()
      } catch {
        return undefined
      }
    },
    removeFile: (path) => rmSync(path, { force: true }),
    exists: existsSync,
    holdsFiles: (path) => existsSync(path) && readdirSync(path).length > 0,
    ringBell(agent) {
      const path = join(options.bellDir, agent.replaceAll('/', '_'))
      try {
        const now = new Date()
        if (existsSync(path)) utimesSync(path, now, now)
        else writeFileSync(path, '')
      } catch {
        // The mail is in the store; the session finds it when its turn ends.
      }
    },
  }
}

const PIECE_BYTES = 1024 * 1024

function fingerprint(path: string): FileFingerprint | undefined {
  // Here, not at the top: node:crypto costs milliseconds that hardly any command should pay.
  const { createHash } = process.getBuiltinModule('node:crypto')
  let fd: number
  try {
    if (!statSync(path).isFile()) return undefined
    fd = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const hash = createHash('sha256')
    const piece = Buffer.alloc(PIECE_BYTES)
    let sizeBytes = 0
    for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece)) {
      hash.update(piece.subarray(0, count))
      sizeBytes += count
    }
    return { sizeBytes, sha256: hash.digest('hex') }
  } finally {
    closeSync(fd)
  }
}

/** Nobody is there to type a password. */
function askingEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const set = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return {
    ...Object.fromEntries(set),
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: env.GIT_SSH_COMMAND ?? 'ssh -o BatchMode=yes',
  }
}

function holderOf(error: TimeoutError): string {
  const { holder } = error.details as { holder?: LockHolder }
  return holder === undefined ? 'another process' : `process ${holder.pid}`
}

function withoutIdentity(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const hidden = [
    'GT_AGENT',
    'GT_ROLE',
    'GT_RIG',
    'GT_BEAD',
    'GT_SESSION',
    'GT_SESSION_ID',
    'GT_OPENCODE_SERVER',
    'TMUX',
    'TMUX_PANE',
  ]
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.includes(name)))
}

function findProgram(name: string, path: string): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : path
        .split(delimiter)
        .filter(isAbsolute)
        .map((dir) => join(dir, name))
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK)
      return statSync(candidate).isFile()
    } catch {
      return false
    }
  })
}
