import { spawn } from 'node:child_process'
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ShellRequest, ShellResult } from '../ports/host.js'

const TAIL_BYTES = 4_096
const KILL_AFTER_MS = 2_000

/**
 * Runs one shell line in a process group of its own, output to a file. When the line ends, or its time is up, the whole
 * group is ended. What left the group (setsid) is found by the mark in its environment: `Host.endMarked`.
 */
export async function runShell(request: ShellRequest): Promise<ShellResult> {
  mkdirSync(dirname(request.logFile), { recursive: true, mode: 0o700 })
  const output = openSync(request.logFile, 'w+', 0o600)
  const started = performance.now()
  try {
    const child = spawn('/bin/sh', ['-c', request.line], {
      cwd: request.cwd,
      env: { ...request.env },
      detached: true,
      stdio: ['ignore', output, output],
    })
    let timedOut = false
    let force: NodeJS.Timeout | undefined
    const timer = setTimeout(() => {
      timedOut = true
      signalGroup(child.pid, 'SIGTERM')
      force = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS)
    }, request.timeoutMs)
    const end = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve({ code, signal }))
    }).finally(() => {
      clearTimeout(timer)
      clearTimeout(force)
      signalGroup(child.pid, 'SIGKILL')
    })
    return {
      ...(end.code === null ? {} : { exitCode: end.code }),
      ...(end.signal === null ? {} : { signal: end.signal }),
      timedOut,
      durationMs: performance.now() - started,
      tail: readTail(output),
    }
  } finally {
    closeSync(output)
  }
}

/** The group is ours: the child was made its leader. Gone already is what we want. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // ESRCH: nobody is left in it
  }
}

function readTail(file: number): string {
  const size = fstatSync(file).size
  const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
  readSync(file, buffer, 0, buffer.length, Math.max(0, size - buffer.length))
  return buffer.toString('utf8').replace(/^\uFFFD+/, '')
}
