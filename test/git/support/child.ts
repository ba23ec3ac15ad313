// Bundled and run by killable.ts: does one call of Repositories in a process of its own and dies where it is told to.
import { createRepositories } from '../../../src/git/create-repositories.js'
import type { Repositories } from '../../../src/ports/repositories.js'

interface Task {
  townRoot: string
  lockDir: string
  env: Record<string, string>
  method: keyof Repositories
  args: unknown[]
  /** Die by SIGKILL at the n-th step; undefined: run to the end. */
  killAt?: number
  /** How many times at once, each with `#` in its strings replaced by its number. */
  times?: number
  firstNumber?: number
}

const task = JSON.parse(process.argv[2] ?? '', (key, value) =>
  key === 'at' ? new Date(value) : value,
) as Task
const steps: string[] = []
const repositories = createRepositories({
  townRoot: task.townRoot,
  lockDir: task.lockDir,
  env: task.env,
  onStep: (step) => {
    steps.push(step)
    if (steps.length === task.killAt) process.kill(process.pid, 'SIGKILL')
  },
})
// The test names the method and its arguments; types cannot follow through JSON.
const call = repositories[task.method] as (...args: unknown[]) => Promise<unknown>
const numbers = Array.from({ length: task.times ?? 1 }, (_, n) => n + (task.firstNumber ?? 0))
const numbered = (n: number) =>
  JSON.parse(JSON.stringify(task.args).replaceAll('#', String(n)), (k, v) => (k === 'at' ? new Date(v) : v))
const results = await Promise.all(
  numbers.map((n) => call(...numbered(n)).catch((error) => ({ error: String(error) }))),
)
console.log(JSON.stringify({ steps, results }))
