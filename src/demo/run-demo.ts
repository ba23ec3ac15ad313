import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addRig } from '../app/add-rig.js'
import { createConvoy } from '../app/convoys.js'
import { createBead } from '../app/create-bead.js'
import { slingWork } from '../app/sling-work.js'
import type { Town } from '../app/town.js'
import { readTownView, type TownView } from '../app/town-view.js'
import { watchTown } from '../app/watch-town.js'
import { ExternalError, OperationError, TimeoutError } from '../domain/errors.js'
import { isolatedOpencodeEnv, TESTED_OPENCODE_VERSION } from '../runtime-files/opencode-home.js'
import { scriptedOpencodeConfig } from '../scripted-model/opencode-config.js'
import { type ScriptedModel, startScriptedModel } from '../scripted-model/server.js'
import { createTown, openTown } from '../wire.js'
import { DEMO_BEADS, DEMO_GATE, makeDemoProject } from './demo-project.js'
import { demoTurns } from './demo-script.js'

export interface DemoOptions {
  packageDir: string
  pid: number
  env: Readonly<Record<string, string | undefined>>
  signal: AbortSignal
  keep: boolean
  say: (line: string) => void
  /** Shows the dashboard until `until` fires; absent without a terminal. */
  dashboard?: (town: Town, until: AbortSignal) => Promise<void>
}

export interface DemoResult {
  /** Kept only on request. */
  town?: string
  project?: string
  merged: { bead: string; sha: string; subject: string }[]
  testsGreen: boolean
  leftRunning: number
}

const DEADLINE_MS = 240_000

/**
 * The main job on a throw-away town: three real OpenCode agents, a scripted local model (no AI, no key, no network), three
 * beads, three merged commits. Everything it started is gone when it returns; the folder too, unless `keep`.
 * @throws ExternalError code `missing-binary`; TimeoutError with what the agents showed last
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const programs = findPrograms(options)
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'gt-demo-')))
  const project = join(root, 'till')
  options.say(`a throw-away town and project in ${root}`)
  let model: ScriptedModel | undefined
  let town: Town | undefined
  let finished = false
  try {
    model = await startScriptedModel({ turns: demoTurns(), typingDelayMs: 30 })
    options.say(
      `the agents are real OpenCode; the model behind them is a script of gt's, without AI, on ${model.url}`,
    )
    const env = await demoEnv(root, model.url, options.env, programs)
    makeDemoProject(project, env)
    const townRoot = await createTown({
      dir: join(root, 'town'),
      name: 'demo',
      packageDir: options.packageDir,
    })
    town = await openTown({
      town: townRoot,
      cwd: root,
      env,
      packageDir: options.packageDir,
      pid: options.pid,
    })
    await addRig(town, { name: 'till', from: project, gates: [DEMO_GATE], cwd: root })
    for (const bead of DEMO_BEADS)
      createBead(town, { id: bead.id, title: bead.title, description: bead.description, rig: 'till' })
    createConvoy(
      town,
      'green tests',
      DEMO_BEADS.map((bead) => bead.id),
    )
    options.say(
      `made ${DEMO_BEADS.length} beads and a convoy; tests now: ${runTests(project, env) ? 'green' : 'red, as they should be'}`,
    )
    await Promise.all(startAndFollow(town, options))
    const result = await conclude(town, project, env)
    finished = true
    if (options.keep) {
      options.say(`kept: cd ${root} && gt status --town ${townRoot}; delete it with rm -r ${root}`)
      return { ...result, town: townRoot, project }
    }
    return result
  } finally {
    await model?.close()
    if (town) await (await town.orchestrator()).shutdown()
    if (!options.keep || !finished)
      rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

function findPrograms(options: DemoOptions): { path: string } {
  // In a checkout the pinned opencode lies in node_modules; elsewhere it is the person's own.
  const path = `${join(options.packageDir, 'node_modules', '.bin')}:${options.env.PATH ?? ''}`
  const missing = (program: string, how: string): void => {
    try {
      execFileSync(program, [program === 'tmux' ? '-V' : '--version'], {
        env: { ...process.env, PATH: path },
        stdio: 'ignore',
      })
    } catch (cause) {
      throw new ExternalError(`the demo needs ${program}, and it is not installed`, {
        code: 'missing-binary',
        hint: how,
        details: { program },
        cause,
      })
    }
  }
  missing('tmux', 'get it: apt install tmux · dnf install tmux · brew install tmux')
  missing('git', 'get it: apt install git · dnf install git · brew install git')
  missing('opencode', `get it: npm install -g opencode-ai@${TESTED_OPENCODE_VERSION}`)
  return { path }
}

async function demoEnv(
  root: string,
  modelUrl: string,
  caller: DemoOptions['env'],
  programs: { path: string },
): Promise<Record<string, string>> {
  const home = join(root, 'home')
  mkdirSync(home)
  const opencode = await isolatedOpencodeEnv({
    home,
    configDir: join(root, 'town', 'run', 'opencode'),
    configContent: scriptedOpencodeConfig({ url: modelUrl }),
  })
  return {
    ...opencode,
    PATH: programs.path,
    LANG: caller.LANG ?? 'C.UTF-8',
    ...(caller.LC_ALL === undefined ? {} : { LC_ALL: caller.LC_ALL }),
    ...(caller.GT_NODE === undefined ? {} : { GT_NODE: caller.GT_NODE }),
    GIT_AUTHOR_NAME: 'gt demo',
    GIT_AUTHOR_EMAIL: 'demo@localhost',
    GIT_COMMITTER_NAME: 'gt demo',
    GIT_COMMITTER_EMAIL: 'demo@localhost',
  }
}

/** The dashboard is there while agents start; when they cannot be started it goes, and that failure is the one to tell. */
function startAndFollow(town: Town, options: DemoOptions): [Promise<void>, Promise<void>] {
  const failed = new AbortController()
  const starting = slingAll(town, options).catch((error: unknown) => {
    failed.abort()
    throw error
  })
  return [starting, follow(town, { ...options, signal: AbortSignal.any([options.signal, failed.signal]) })]
}

/** OpenCode sets up its data folder when it first starts; a second one that starts meanwhile was seen to hang. */
async function slingAll(town: Town, options: DemoOptions): Promise<void> {
  const [first, ...others] = DEMO_BEADS.map((bead) => bead.id)
  await sling(town, options, first === undefined ? [] : [first])
  const deadline = town.clock.now() + DEADLINE_MS / 2
  while (town.ledger.read().events({ type: 'session.started' }).length === 0) {
    if (town.clock.now() > deadline || options.signal.aborted) break
    await town.clock.sleep(100)
  }
  await sling(town, options, others)
}

async function sling(town: Town, options: DemoOptions, beads: readonly string[]): Promise<void> {
  const rig = town.config.rigs.till
  if (!rig) throw new OperationError('the demo rig is missing', { code: 'demo-broken' })
  const { slung, failed } = await slingWork(town, { beads, rig, runtime: 'opencode', backend: 'tmux' })
  if (failed[0]) throw failed[0].error
  for (const one of slung) options.say(`${one.bead} → ${one.agent} (${one.location})`)
}

/** Until all beads are closed and their agents gone. */
async function follow(town: Town, options: DemoOptions): Promise<void> {
  const done = new AbortController()
  const stop = () => done.abort()
  options.signal.addEventListener('abort', stop)
  let expired = false
  const timer = setTimeout(() => {
    expired = true
    stop()
  }, DEADLINE_MS)
  try {
    const watching = watchTown(town, done.signal, (view) => {
      if (isFinished(view)) stop()
    })
    if (options.dashboard) await Promise.all([options.dashboard(town, done.signal), watching])
    else await Promise.all([logProgress(town, done.signal, options.say), watching])
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', stop)
  }
  const view = await readTownView(town)
  if (isFinished(view)) return
  if (!expired)
    throw new OperationError('the demo was left before it was over', {
      code: 'interrupted',
      hint: 'gt demo --keep leaves the town for exploring',
    })
  throw new TimeoutError(`the demo was not over after ${DEADLINE_MS / 1000} s`, {
    code: 'demo-timeout',
    hint: 'run it again on a quieter machine',
    details: {
      agents: view.agents.map(({ id, state, detail }) => ({ id, state, detail })),
      problems: view.problems,
      screens: await lastScreens(town, view),
    },
  })
}

function isFinished(view: TownView): boolean {
  return view.beads.closed === DEMO_BEADS.length && view.agents.every((agent) => agent.worktree === undefined)
}

async function lastScreens(town: Town, view: TownView): Promise<Record<string, string[]>> {
  const orchestrator = await town.orchestrator()
  const screens: Record<string, string[]> = {}
  for (const session of await orchestrator.list()) {
    screens[session.agent] = (await orchestrator.output(session.agent).catch(() => []))
      .filter((line) => line.trim() !== '')
      .slice(-12)
  }
  return Object.keys(screens).length > 0 ? screens : { none: view.problems }
}

/** One line for each thing that happened, as it happens. */
function logProgress(town: Town, until: AbortSignal, say: (line: string) => void): Promise<void> {
  let cursor = town.ledger.read().events({ limit: 1 }).at(-1)?.cursor
  return new Promise((resolve) => {
    const show = () => {
      for (const event of town.ledger.read().events(cursor === undefined ? {} : { after: cursor })) {
        cursor = event.cursor
        const line = progressLine(event.type, event.data)
        if (line !== undefined) say(line)
      }
    }
    const unwatch = town.ledger.watch(show)
    const end = () => {
      show()
      unwatch()
      resolve()
    }
    if (until.aborted) end()
    else until.addEventListener('abort', end, { once: true })
    show()
  })
}

function progressLine(type: string, data: Record<string, unknown>): string | undefined {
  const agent = String(data.agent ?? '')
  switch (type) {
    case 'session.started':
      return `${agent} has started`
    case 'session.busy':
      return `${agent} works`
    case 'work.done':
      return `${agent} handed in ${data.bead}`
    case 'merge.started':
      return `merge queue: ${data.bead} is rebased and its gate runs`
    case 'merge.returned':
      return `merge queue: ${data.bead} went back: ${data.reason}`
    case 'bead.merged':
      return `merge queue: ${data.bead} is on main as ${String(data.sha).slice(0, 10)}, closed`
    case 'plugin.error':
      return `${agent}: its plugin failed: ${data.message}`
    default:
      return undefined
  }
}

async function conclude(town: Town, project: string, env: NodeJS.ProcessEnv): Promise<DemoResult> {
  const view = await readTownView(town)
  const merged = view.recentlyMerged.map((merge) => ({
    bead: merge.bead as string,
    sha: merge.mergedAs ?? '',
    subject: execFileSync('git', ['log', '-1', '--format=%s', merge.mergedAs ?? 'HEAD'], {
      cwd: project,
      env,
      encoding: 'utf8',
    }).trim(),
  }))
  const orchestrator = await town.orchestrator()
  await orchestrator.shutdown()
  return { merged, testsGreen: runTests(project, env), leftRunning: (await orchestrator.list()).length }
}

function runTests(project: string, env: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync('node', ['--test'], { cwd: project, env, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
