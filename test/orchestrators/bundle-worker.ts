import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Node 20 runs no TypeScript, so processes of their own get a bundle. @returns the bundle's path */
export async function bundleWorker(source: string, folder: string): Promise<string> {
  const outfile = join(folder, `${source.replace(/\W+/g, '-')}.mjs`)
  await build({
    entryPoints: [fileURLToPath(new URL(source, import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
  })
  return outfile
}

export interface WorkerResult {
  exitCode: number | null
  stdout: string
  stderr: string
}

export function startWorker(
  bundle: string,
  args: readonly string[],
): { pid: number; result: Promise<WorkerResult> } {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const result = new Promise<WorkerResult>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
  return { pid: child.pid ?? 0, result }
}
