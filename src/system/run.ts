// On node:child_process and not execa: importing execa costs about 20 ms of every CLI start, and the little that is
// needed of it (missing binary, time-out, EPIPE, abort) is below.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { ExternalError, TimeoutError } from '../domain/errors.js'

export interface RunOptions {
  stdin?: string | Uint8Array
  cwd?: string
  /** The complete environment; left out: ours. */
  env?: Readonly<Record<string, string>>
  timeoutMs?: number
  /** Ends the command; `run` then throws ExternalError code `aborted`. */
  signal?: AbortSignal
}

export interface RunResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** Between SIGTERM and SIGKILL of a command that is out of time. */
const KILL_GRACE_MS = 1000
/** How long output is still read after the command ended while a child of it holds the pipes open. */
const DRAIN_MS = 500
const STDERR_TAIL_BYTES = 2048

/**
 * Runs a command to its end; no shell.
 *
 * @throws ExternalError `command-failed` (exit code not 0), `missing-binary`, `no-such-directory`, `aborted`;
 * TimeoutError `command-timeout`, after the command was ended.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await tryRun(argv, options)
  if (result.exitCode === 0) return result
  throw commandFailed(argv, result)
}

/** As `run`, but any exit code is an answer. A command ended by a signal reports 128 + its number, as a shell does. */
export function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file = '', ...args] = argv
  if (options.signal?.aborted) return Promise.reject(aborted(argv, options.signal.reason))
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // A command that does not read its input closes the pipe early (EPIPE); its exit code tells what that means.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')

    const ender = endOnDeadline(child, options)
    child.on('error', (error) => {
      ender.clear()
      reject(startFailed(argv, options.cwd, error))
    })
    child.on('exit', () => {
      const drain = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, DRAIN_MS)
      child.once('close', () => clearTimeout(drain))
    })
    child.on('close', (code, signal) => {
      ender.clear()
      const result = {
        exitCode: code ?? 128 + signalNumber(signal),
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }
      if (ender.why === 'timeout') reject(outOfTime(argv, options.timeoutMs ?? 0, result))
      else if (ender.why === 'abort') reject(aborted(argv, options.signal?.reason))
      else resolve(result)
    })
  })
}

interface Ender {
  why: 'timeout' | 'abort' | undefined
  clear(): void
}

function endOnDeadline(child: ChildProcess, options: RunOptions): Ender {
  let timer: NodeJS.Timeout | undefined
  let killer: NodeJS.Timeout | undefined
  const end = (why: 'timeout' | 'abort') => {
    if (ender.why !== undefined) return
    ender.why = why
    child.kill('SIGTERM')
    killer = setTimeout(() => child.kill('SIGKILL'), KILL_GRACE_MS)
  }
  const onAbort = () => end('abort')
  const ender: Ender = {
    why: undefined,
    clear() {
      clearTimeout(timer)
      clearTimeout(killer)
      options.signal?.removeEventListener('abort', onAbort)
    },
  }
  if (options.timeoutMs !== undefined) timer = setTimeout(() => end('timeout'), options.timeoutMs)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  return ender
}

function signalNumber(signal: NodeJS.Signals | null): number {
  // The three that are met in practice; 128 alone says "a signal" for any other.
  return signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : signal === 'SIGHUP' ? 1 : 0
}

/** The last 2 KB: where programs put what went wrong. */
export function tail(text: string, bytes = STDERR_TAIL_BYTES): string {
  const buffer = Buffer.from(text)
  return buffer.length <= bytes ? text : buffer.subarray(buffer.length - bytes).toString('utf8')
}

/** The error for a command that ran and said no; exported for callers that judge the exit code themselves. */
export function commandFailed(argv: readonly string[], result: RunResult): ExternalError {
  const said = tail(result.stderr).trim().split('\n').at(-1) ?? ''
  return new ExternalError(
    `${describe(argv)} failed with exit code ${result.exitCode}${said ? `: ${said}` : ''}`,
    {
      code: 'command-failed',
      details: { argv: [...argv], exitCode: result.exitCode, stderr: tail(result.stderr) },
    },
  )
}

export function missingBinary(
  name: string,
  argv: readonly string[] = [name],
  cause?: unknown,
): ExternalError {
  return new ExternalError(`${name} is not installed, or not on PATH`, {
    code: 'missing-binary',
    hint: `install ${basename(name)} (for example: apt-get install ${basename(name)}, or brew install ${basename(name)}) and try again`,
    details: { binary: name, argv: [...argv] },
    cause,
  })
}

function startFailed(argv: readonly string[], cwd: string | undefined, error: Error): ExternalError {
  const code = (error as NodeJS.ErrnoException).code
  // spawn says ENOENT for a missing directory, too.
  if (code === 'ENOENT' && cwd !== undefined && !existsSync(cwd)) {
    return new ExternalError(`cannot run ${describe(argv)} in ${cwd}: no such directory`, {
      code: 'no-such-directory',
      details: { argv: [...argv], cwd },
      cause: error,
    })
  }
  if (code === 'ENOENT') return missingBinary(argv[0] ?? '', argv, error)
  return new ExternalError(`cannot start ${describe(argv)}: ${error.message}`, {
    code: 'command-failed',
    details: { argv: [...argv] },
    cause: error,
  })
}

function outOfTime(argv: readonly string[], timeoutMs: number, result: RunResult): TimeoutError {
  return new TimeoutError(`${describe(argv)} did not end within ${timeoutMs} ms and was ended`, {
    code: 'command-timeout',
    details: { argv: [...argv], timeoutMs, stderr: tail(result.stderr), stdout: tail(result.stdout) },
  })
}

function aborted(argv: readonly string[], cause: unknown): ExternalError {
  return new ExternalError(`${describe(argv)} was cancelled`, {
    code: 'aborted',
    details: { argv: [...argv] },
    cause,
  })
}

/** Program and first words; the rest is in the details. */
function describe(argv: readonly string[]): string {
  const text = argv.slice(0, 4).join(' ')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
