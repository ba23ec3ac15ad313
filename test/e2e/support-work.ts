import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { TownView } from '../../src/app/town-view.js'
import type { TownEvent } from '../../src/domain/record.js'
import type { Ran } from '../support/run-gt.js'
import { type TestTown, testTown, until } from '../support/test-town.js'

/** `cat` is an agent that sits there: the test does its work for it. */
export const BARE = `
[runtimes.bare]
command = ["cat"]
instruction_file = "none"
`

/** Looks at its context, makes one file named after its bead, commits, hands it in, and waits for its end. */
export const WORKER = `
[runtimes.worker]
command = ["a-worker"]
`
const WORKER_SCRIPT = `
gt prime > "$GT_RUN_DIR/primed-$GT_BEAD.txt" || exit 3
mkdir -p done && printf '%s\\n' "$GT_BEAD" > "done/$GT_BEAD.txt"
git add -A && git commit --quiet -m "do $GT_BEAD" && gt done > "$GT_RUN_DIR/handed-in-$GT_BEAD.txt" 2>&1
exec sleep 100000`

export interface WorkTown extends AsyncDisposable {
  town: TestTown
  /** The user's clone: of a path rig the rig itself, of a URL rig the repository that the remote was made from. */
  clone: string
  /** Repository that holds the target branch and, for path rigs, the salvage. */
  target: string
  /** Repository that holds worktrees, agents' branches and salvage. */
  repository: string
}

export interface WorkTownOptions {
  rig?: 'path' | 'url'
  files?: Record<string, string>
  toml?: string
  /** Arguments of `gt rig add`, such as gates. */
  rigArgs?: readonly string[]
}

/** A town with the rig `proj`, whose agents run `bare` unless --agent says otherwise. */
export async function workTown(options: WorkTownOptions = {}): Promise<WorkTown> {
  const town = await testTown({ toml: `${BARE}${WORKER}${options.toml ?? ''}` })
  town.program('a-worker', WORKER_SCRIPT)
  setDefaultRuntime(town, 'bare')
  const clone = town.makeRepository(
    'proj',
    options.files ?? { 'README.md': 'hello\n', 'same.txt': '1\n2\n3\n' },
  )
  let target = clone
  let repository = clone
  let from = clone
  if (options.rig === 'url') {
    target = join(town.dir, 'remote.git')
    town.git(town.dir, 'clone', '--quiet', '--bare', clone, target)
    from = `file://${target}`
    repository = join(town.root, 'rigs/proj/repo.git')
  }
  await town.ok('rig', 'add', 'proj', from, ...(options.rigArgs ?? []))
  return { town, clone, target, repository, [Symbol.asyncDispose]: () => town[Symbol.asyncDispose]() }
}

export function setDefaultRuntime(town: TestTown, runtime: string): void {
  const file = join(town.root, 'town.toml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^runtime = .*$/m, `runtime = "${runtime}"`))
}

export function git(town: TestTown, cwd: string, ...args: string[]): string {
  return town.git(cwd, ...args)
}

/** Like `git`, but an exit code is an answer. */
export function gitAsk(town: TestTown, cwd: string, ...args: string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd,
      env: town.env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch {
    return undefined
  }
}

export async function createBeads(town: TestTown, ...ids: string[]): Promise<void> {
  for (const id of ids) await town.ok('bead', 'create', '--id', id, `do ${id}`)
}

export interface Slung {
  bead: string
  agent: string
  branch: string
  worktree: string
  resumed: boolean
}

export async function sling(town: TestTown, ...args: string[]): Promise<Slung[]> {
  return (await town.json<{ slung: Slung[] }>('sling', ...args)).slung
}

export async function slingOne(town: TestTown, ...args: string[]): Promise<Slung> {
  const [slung] = await sling(town, ...args)
  if (!slung) throw new Error('nothing was slung')
  return slung
}

/** What an agent would do in its worktree. */
export function commitFile(town: TestTown, worktree: string, file: string, text: string): string {
  mkdirSync(join(worktree, file, '..'), { recursive: true })
  writeFileSync(join(worktree, file), text)
  town.git(worktree, 'add', '-A')
  town.git(worktree, 'commit', '--quiet', '-m', `write ${file}`)
  return town.git(worktree, 'rev-parse', 'HEAD')
}

export interface ShownBead {
  id: string
  key: string
  title: string
  status: string
  assignee: string | null
  merged_as: string | null
  generation: number
  comments: { text: string }[]
}

export async function bead(town: TestTown, id: string): Promise<ShownBead> {
  return (await town.json<{ bead: ShownBead }>('bead', 'show', id)).bead
}

export async function status(town: TestTown): Promise<TownView> {
  return town.json<TownView & Record<string, unknown>>('status')
}

export async function events(town: TestTown, ...types: string[]): Promise<TownEvent[]> {
  const chosen = types.flatMap((type) => ['--type', type])
  return (await town.json<{ events: TownEvent[] }>('events', '--limit', '10000', ...chosen)).events
}

/** Waits until the merge queue is through with a bead. Looks when the queue said something, and now and then. */
export async function untilClosed(town: TestTown, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    let seen: string | undefined
    let looks = 0
    await until(`bead ${id} to be closed`, async () => {
      const log = queueLog(town)
      if (log === seen && ++looks % 40 !== 0) return undefined
      seen = log
      const found = await bead(town, id)
      if (found.status === 'closed') return true
      throw new Error(`${JSON.stringify(found)}\n${log}`)
    })
  }
}

/** A bead in the merge queue that nobody works on yet: `gt done` ends before it starts a runner. */
export async function handIn(town: TestTown, agent: string): Promise<void> {
  const ran = await town.gtIn(town.root, { env: { GT_KILL_AT: 'done.enqueued' } }, 'done', '--as', agent)
  expect(ran.signal ?? ran.exitCode, ran.stderr).toBe('SIGKILL')
}

/** Waits until no runner of the queue is at work, so that nothing changes under the test. */
export async function untilQueueRests(town: TestTown): Promise<void> {
  await until('the runners of the merge queue to end', () =>
    town.processes().every(({ command }) => !/ mq run /.test(command)),
  )
}

export function queueLog(town: TestTown): string {
  try {
    return readFileSync(join(town.root, 'run/logs/merge-queue.log'), 'utf8')
  } catch {
    return '(no log of the merge queue)'
  }
}

/** Everything that a command could have changed: the log of the store, town.toml, worktrees, branches, hidden refs. */
export function footprint({ town, clone, repository }: WorkTown): string {
  const log = join(town.root, '.beads/log')
  return [
    ...readdirSync(log).map((name) => `${name} ${statSync(join(log, name)).size}`),
    readFileSync(join(town.root, 'town.toml'), 'utf8'),
    ...[clone, repository].flatMap((dir) => [
      town.git(dir, 'worktree', 'list'),
      town.git(dir, 'for-each-ref'),
    ]),
  ].join('\n')
}

/** Worktrees of the rig beside the user's own checkout. */
export function worktrees({ town, repository }: WorkTown): string[] {
  return town
    .git(repository, 'worktree', 'list', '--porcelain')
    .split('\n')
    .filter((line) => line.startsWith('worktree '))
    .map((line) => line.slice(9))
    .filter((path) => path !== repository)
}

/** Names of the live sessions of agents, from tmux itself. */
export async function sessions(town: TestTown): Promise<string[]> {
  const ran = await town.tmux('list-panes', '-a', '-F', '#{session_name} #{pane_dead}')
  if (ran.exitCode !== 0) return []
  return ran.stdout
    .split('\n')
    .filter((line) => line.endsWith(' 0') && !line.startsWith('_gt-'))
    .map((line) => line.slice(0, -2))
    .sort()
}

/** Content of a file in the newest salvage of an agent; undefined when no salvage holds it. */
export function salvaged({ town, repository }: WorkTown, agent: string, file: string): string | undefined {
  const refs = town.git(repository, 'for-each-ref', '--format=%(refname)', `refs/gt/salvage/${agent}/`)
  for (const ref of refs.split('\n').reverse()) {
    const text = ref === '' ? undefined : gitAsk(town, repository, 'show', `${ref}:${file}`)
    if (text !== undefined) return text
  }
  return undefined
}

export function landed({ town, target }: WorkTown): string[] {
  return town.git(target, 'log', '--format=%s', 'main').split('\n')
}

/** One clear error with the right exit code; the same as one object with --json. */
export interface Refusal {
  exitCode: number
  code?: string
  says?: RegExp
  hint?: RegExp
}

export function expectRefusal(ran: Ran, wanted: Refusal): void {
  const context = `exit ${ran.exitCode}\nstdout: ${ran.stdout}\nstderr: ${ran.stderr}`
  expect(ran.exitCode, context).toBe(wanted.exitCode)
  expect(ran.stdout, context).toBe('')
  expect(ran.stderr, context).toMatch(/^gt: \S/m)
  expect(ran.stderr.match(/^gt: /gm), context).toHaveLength(1)
  expect(ran.stderr, context).not.toMatch(CONTROL)
  expect(ran.stderr, context).not.toMatch(/\n {4}at /)
  if (wanted.says) expect(ran.stderr, context).toMatch(wanted.says)
  if (wanted.hint) expect(/^hint: (.*)$/m.exec(ran.stderr)?.[1] ?? '', context).toMatch(wanted.hint)
}

export interface JsonError {
  error: { code: string; message: string; hint?: string; details?: Record<string, unknown>; exitCode: number }
}

export function expectJsonRefusal(ran: Ran, wanted: Refusal): JsonError['error'] {
  const context = `exit ${ran.exitCode}\nstdout: ${ran.stdout}\nstderr: ${ran.stderr}`
  expect(ran.exitCode, context).toBe(wanted.exitCode)
  expect(ran.stderr, context).toBe('')
  expect(ran.stdout.trimEnd().split('\n'), context).toHaveLength(1)
  expect(ran.stdout, context).not.toMatch(CONTROL)
  const { error } = JSON.parse(ran.stdout) as JsonError
  expect(error.exitCode, context).toBe(wanted.exitCode)
  expect(error.code, context).toMatch(/^[a-z]+(-[a-z]+)*$/)
  if (wanted.code !== undefined) expect(error.code, context).toBe(wanted.code)
  if (wanted.says) expect(error.message, context).toMatch(wanted.says)
  if (wanted.hint) expect(error.hint ?? '', context).toMatch(wanted.hint)
  return error
}

/** What could drive a terminal; newline and tab only lay out. */
export const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/
