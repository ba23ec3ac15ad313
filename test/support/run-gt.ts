import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const PACKAGE_DIR = join(import.meta.dirname, '../..')
export const GT = join(PACKAGE_DIR, 'bin/gt')

export interface Ran {
  /** null when a signal ended it. */
  exitCode: number | null
  signal: string | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd: string
  env: Readonly<Record<string, string>>
  input?: string
  /** For hangs only. */
  timeoutMs?: number
}

/** Runs the built gt as a process of its own. */
export function runGt(args: readonly string[], options: RunOptions): Promise<Ran> {
  return run(GT, args, options)
}

export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${program} ${args.join(' ')} did not end\nstdout: ${stdout}\nstderr: ${stderr}`))
    }, options.timeoutMs ?? 60_000)
    child.on('error', reject)
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer)
      resolve({ exitCode, signal, stdout, stderr })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}
