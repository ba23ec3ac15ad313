import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { kill } from 'node:process'

export interface GroupRun {
  argv: readonly string[]
  /** The complete environment. */
  env: Readonly<Record<string, string>>
  input?: Uint8Array
  timeoutMs?: number
  signal?: AbortSignal
}

export interface GroupResult {
  exitCode: number
  stdout: Buffer
  stderr: string
  /** Why it was ended before its own end. */
  ended?: 'timeout' | 'abort'
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 1000
/** How long nothing may come after the end of the program while a child of it holds the pipes open. */
const DRAIN_MS = 500

/**
 * Runs a program to its end, in a session of its own: nothing it starts (ssh, a credential helper) can ask at our
 * terminal, and all of it ends at the deadline. Any exit code is an answer.
 *
 * @throws the error of spawn when it cannot be started
 */
export function runInGroup({ argv, env, input, timeoutMs, signal }: GroupRun): Promise<GroupResult> {
  const [file = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...env }, detached: true })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let ended: GroupResult['ended']
    let killer: NodeJS.Timeout | undefined
    const end = (why: 'timeout' | 'abort') => {
      if (ended !== undefined || child.pid === undefined) return
      ended = why
      signalGroup(child.pid, 'SIGTERM')
      killer = setTimeout(() => child.pid !== undefined && signalGroup(child.pid, 'SIGKILL'), GRACE_MS)
    }
    const onAbort = () => end('abort')
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => end('timeout'), timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    const stop = () => {
      clearTimeout(timer)
      clearTimeout(killer)
      signal?.removeEventListener('abort', onAbort)
    }
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // It may end before it read everything; its exit code tells.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    child.on('error', (error) => {
      stop()
      reject(error)
    })
    const received = () => [...stdout, ...stderr].reduce((sum, { length }) => sum + length, 0)
    child.on('exit', () => drainThenClose(child, received))
    child.on('close', (code) => {
      stop()
      resolve({
        exitCode: code ?? 128,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString('utf8'),
        ...(ended === undefined ? {} : { ended }),
      })
    })
    if (signal?.aborted === true) end('abort')
  })
}

/**
 * Ends the wait for pipes that somebody else holds open. Not by the clock alone: in a process that was busy for a while the
 * timer is due before the output that lies in the pipe was read.
 */
function drainThenClose(child: ChildProcessWithoutNullStreams, received: () => number): void {
  let timer: NodeJS.Timeout
  const wait = () => {
    timer = setTimeout(() => {
      const before = received()
      // Whatever lies in the pipes is read between a timer and an immediate.
      setImmediate(() => (received() === before ? giveUp() : wait()))
    }, DRAIN_MS)
  }
  const giveUp = () => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  wait()
  child.once('close', () => clearTimeout(timer))
}

/** Only while the leader is known to be ours: its number is not given away before it was waited for. */
function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    kill(-leader, name)
  } catch {
    // All of it is gone.
  }
}
