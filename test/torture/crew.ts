import { type ChildProcess, spawn } from 'node:child_process'

export interface WorkerEnd {
  exitCode: number | null
  signal: NodeJS.Signals | null
  stderr: string
}

export interface Worker {
  child: ChildProcess
  /** Whole lines of its output so far. */
  lines: string[]
  /** Resolves at the first line, or when it ends before that. */
  spoke: Promise<void>
  ended: Promise<WorkerEnd>
}

export interface StartOptions {
  onLine?: (line: string) => void
  /** Leads a group of its own, so that a kill can take its git with it. */
  isGroup?: boolean
}

/** The processes that a torture started. None outlives it. */
export class Crew {
  readonly #scriptPath: (name: string) => string
  readonly #working = new Set<ChildProcess>()

  constructor(scriptPath: (name: string) => string) {
    this.#scriptPath = scriptPath
    process.on('exit', () => this.killAll())
  }

  /** @param order - handed to the worker as JSON, its only argument */
  start(script: string, order: object, options: StartOptions = {}): Worker {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
    const args = [this.#scriptPath(script), JSON.stringify(order)]
    const isGroup = options.isGroup === true
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env, detached: isGroup })
    this.#working.add(child)
    const lines: string[] = []
    let stderr = ''
    let rest = ''
    let speak = () => {}
    const spoke = new Promise<void>((resolve) => {
      speak = resolve
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const line of parts) {
        lines.push(line)
        options.onLine?.(line)
      }
      if (lines.length > 0) speak()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const ended = new Promise<WorkerEnd>((resolve) => {
      child.on('close', (exitCode, signal) => {
        this.#working.delete(child)
        speak()
        resolve({ exitCode, signal, stderr: clipped(stderr) })
      })
    })
    return { child, lines, spoke, ended }
  }

  killAll(): void {
    for (const child of this.#working) child.kill('SIGKILL')
  }
}

const CLIPPED_LENGTH = 700

/** Node shows the line of a bundle in which it failed; that line is the whole bundle. */
function clipped(stderr: string): string {
  const at = stderr.search(/^\w*Error\b/m)
  return (at < 0 ? stderr : stderr.slice(at)).slice(0, CLIPPED_LENGTH)
}

/** With everything that it started. */
export function killGroup(worker: Worker): void {
  const { pid } = worker.child
  // Reaped already: the number may be another's.
  if (pid === undefined || worker.child.exitCode !== null || worker.child.signalCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    worker.child.kill('SIGKILL')
  }
}

export function soon(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
