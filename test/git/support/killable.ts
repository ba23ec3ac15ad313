import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Repositories } from '../../../src/ports/repositories.js'
import type { Sandbox } from './sandbox.js'

export interface Killable {
  run(box: Sandbox, method: keyof Repositories, args: unknown[], how?: Partial<Run>): Promise<Outcome>
  [Symbol.dispose](): void
}

interface Run {
  killAt: number
  times: number
  firstNumber: number
}

interface Outcome {
  killed: boolean
  steps: string[]
  results: unknown[]
}

/** Calls of Repositories in other processes. Node 20 cannot run TypeScript, so they are bundled first. */
export async function killable(): Promise<Killable> {
  const folder = mkdtempSync(join(tmpdir(), 'gt-child-'))
  const bundle = join(folder, 'child.mjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'child.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  })
  return {
    run: (box, method, args, how = {}) =>
      new Promise((resolve, reject) => {
        const task = { townRoot: box.townRoot, lockDir: box.lockDir, env: box.env, method, args, ...how }
        const child = spawn(process.execPath, [bundle, JSON.stringify(task)], {
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        let out = ''
        let err = ''
        child.stdout.on('data', (chunk) => (out += chunk))
        child.stderr.on('data', (chunk) => (err += chunk))
        child.on('error', reject)
        child.on('close', (code, signal) => {
          if (signal === 'SIGKILL') resolve({ killed: true, steps: [], results: [] })
          else if (code === 0) resolve({ killed: false, ...JSON.parse(out) })
          else reject(new Error(`the child ended with ${code}: ${err}`))
        })
      }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
