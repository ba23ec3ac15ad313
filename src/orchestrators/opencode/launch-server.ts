import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { ExternalError, TimeoutError } from '../../domain/errors.js'
import type { Clock } from '../../ports/clock.js'
import { processStart } from '../../system/process-table.js'
import { missingBinary, tail } from '../../system/run.js'
import { ONE_REQUEST_EACH } from './server-client.js'
import type { ServerRecord } from './server-record.js'

export interface Launch {
  program: string
  /** The complete environment. */
  env: Readonly<Record<string, string>>
  cwd: string
  logFile: string
  port: number
  /** From the start to the line that says that it listens. */
  timeoutMs: number
  /** Called as soon as the process exists. */
  onStarted: (process: { pid: number; startTime: string }) => void
}

export type Launched =
  | { kind: 'listening' }
  /** Somebody else has the port; nothing of ours runs. */
  | { kind: 'port-taken' }

const POLL_MS = 20
/** A log that grew beyond this is put aside at the next start. */
const LOG_LIMIT_BYTES = 5_000_000

/**
 * Starts `opencode serve` as a process of its own (its own terminal session, output to a file) and waits until it says that
 * it listens.
 *
 * @throws ExternalError `missing-binary` | `server-start-failed`; TimeoutError `server-start-timeout`. The process may live then.
 */
export async function launchServer(launch: Launch): Promise<Launched> {
  mkdirSync(launch.cwd, { recursive: true, mode: 0o700 })
  rotate(launch.logFile)
  const log = openSync(launch.logFile, 'a', 0o600)
  const from = statSync(launch.logFile).size
  const argv = [launch.program, 'serve', '--hostname', '127.0.0.1', '--port', String(launch.port)]
  const child = spawn(launch.program, argv.slice(1), {
    cwd: launch.cwd,
    env: { ...launch.env },
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const end = new Promise<string>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? missingBinary(launch.program, argv, error) : error),
    )
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  end.catch(() => undefined) // awaited below, unless it listens first
  const startTime = child.pid === undefined ? undefined : processStart(child.pid)
  if (child.pid !== undefined && startTime !== undefined) launch.onStarted({ pid: child.pid, startTime })
  child.unref()

  const said = () => readFileSync(launch.logFile).subarray(from).toString('utf8')
  const deadline = performance.now() + launch.timeoutMs
  for (;;) {
    let timer: NodeJS.Timeout | undefined
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), POLL_MS)
    })
    const ended = await Promise.race([end, pause])
    clearTimeout(timer)
    const text = said()
    if (ended !== undefined) {
      if (/ServeError|EADDRINUSE|address already in use/i.test(text)) return { kind: 'port-taken' }
      throw startFailed(argv, ended, text)
    }
    if (/listening on http/.test(text)) return { kind: 'listening' }
    if (performance.now() > deadline) throw startTimeout(argv, launch, text)
  }
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_LIMIT_BYTES) renameSync(logFile, `${logFile}.old`)
}

function startFailed(argv: readonly string[], ended: string, text: string): ExternalError {
  const lines = tail(text)
    .replace(/\u001b\[[0-9;]*m/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return new ExternalError(`opencode serve ended at once (${ended}): ${lines.at(-1) ?? 'without a word'}`, {
    code: 'server-start-failed',
    hint: 'run it by hand to see more: opencode serve',
    details: { argv: [...argv], ended, said: lines.slice(-20) },
  })
}

function startTimeout(argv: readonly string[], launch: Launch, text: string): TimeoutError {
  return new TimeoutError(`opencode serve did not listen within ${launch.timeoutMs / 1_000} s`, {
    code: 'server-start-timeout',
    hint: `its log: ${launch.logFile}`,
    details: { argv: [...argv], said: tail(text) },
  })
}

/** One that nobody listens on now; whoever is quicker with it is told apart when the server starts. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((resolve) => server.close(resolve))
  return port
}

export type Health =
  | { kind: 'healthy'; version: string }
  /** Its process is gone (proven), or nobody listens. */
  | { kind: 'gone' }
  /** Something answers there that does not take the password. */
  | { kind: 'stranger' }
  | { kind: 'silent'; why: string }

/** One question, one answer; `silent` when there is none in time. */
export async function askHealth(server: ServerRecord, auth: string, timeoutMs: number): Promise<Health> {
  try {
    const response = await fetch(`${server.url}/global/health`, {
      headers: { Authorization: auth, ...ONE_REQUEST_EACH },
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (response.status === 401) return { kind: 'stranger' }
    const body = (await response.json()) as { healthy?: unknown; version?: unknown }
    if (!response.ok || body.healthy !== true) return { kind: 'silent', why: `it answers ${response.status}` }
    return { kind: 'healthy', version: String(body.version ?? '') }
  } catch (error) {
    const code = (error as { cause?: { code?: unknown } }).cause?.code
    if (code === 'ECONNREFUSED') return { kind: 'gone' }
    return { kind: 'silent', why: error instanceof Error ? error.message : String(error) }
  }
}

export async function untilHealthy(
  server: ServerRecord,
  auth: string,
  options: { clock: Clock; timeoutMs: number },
): Promise<string> {
  const deadline = performance.now() + options.timeoutMs
  for (;;) {
    const health = await askHealth(server, auth, 5_000)
    if (health.kind === 'healthy') return health.version
    if (health.kind === 'stranger' || performance.now() > deadline) {
      throw new ExternalError(`opencode serve listens on port ${server.port}, but is not healthy`, {
        code: 'server-start-failed',
        hint: `its log is in the folder of the town: run/opencode/servers/${server.n}.log`,
        details: { health },
      })
    }
    await options.clock.sleep(POLL_MS)
  }
}
