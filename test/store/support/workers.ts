import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

const FOLDER = join(import.meta.dirname, '../workers')

export interface WorkerScript extends AsyncDisposable {
  path: string
}

/** Bundles a script of test/store/workers: Node 20 cannot run TypeScript. */
export async function bundleWorker(name: string): Promise<WorkerScript> {
  const folder = mkdtempSync(join(tmpdir(), 'gt-worker-'))
  const path = join(folder, `${name}.mjs`)
  await build({
    entryPoints: [join(FOLDER, `${name}.ts`)],
    outfile: path,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  })
  return { path, [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) }
}

export interface WorkerEnd {
  exitCode: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface RunningWorker {
  child: ChildProcess
  ended: Promise<WorkerEnd>
}

/** @param order - handed to the worker as JSON, its only argument */
export function startWorker(script: WorkerScript, order: object): RunningWorker {
  const child = spawn(process.execPath, [script.path, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const ended = new Promise<WorkerEnd>((resolve) => {
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, ...output }))
  })
  return { child, ended }
}
