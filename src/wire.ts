import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Patient } from './app/check.js'
import type { Town, TownPlaces } from './app/town.js'
import { checkConfig, loadConfig } from './config/load-config.js'
import { locateTown, type Whereabouts } from './config/locate-town.js'
import { agentFrom } from './domain/agent.js'
import { ConflictError, ExternalError, GtError, OperationError } from './domain/errors.js'
import { type AgentId, HUMAN } from './domain/ids.js'
import type { Runtime } from './domain/runtime.js'
import { withKey } from './domain/town-toml.js'
import type { Random } from './ports/clock.js'
import type { Orchestrator } from './ports/orchestrator.js'
import type { Repositories } from './ports/repositories.js'
import type { Remote, SyncRequest } from './ports/upkeep.js'
import { openLedger } from './store/open-ledger.js'
import { writeAtomically } from './system/atomic-write.js'
import { createHost } from './system/host.js'
import { killHere } from './system/kill-here.js'
import { randomBytes } from './system/random-bytes.js'

/** The composition root: configuration → real backends → a Town. The only importer of backends; each loads when asked for. */

export interface Surroundings extends Whereabouts {
  packageDir: string
  pid: number
  /** Told what a person should know and is no error. */
  remark?: (text: string) => void
}

/** @throws NotFoundError code `no-town`, ConfigError */
export async function openTown(around: Surroundings): Promise<Town> {
  const root = realpathSync(locateTown(around))
  const { packageDir, env } = around
  const places = townPlaces(root, packageDir)
  const configSource = { townRoot: root, templatesDir: places.templatesDir, buildId: __GT_BUILD_ID__ }
  const config = await loadConfig(configSource)
  const random: Random = { bytes: randomBytes }
  const host = hostOf(around, root, places)
  const clock = systemClock()
  const step = killHere(env)
  let orchestrator: Promise<Orchestrator> | undefined
  let repositories: Promise<Repositories> | undefined
  const town: Town = {
    root,
    places,
    config,
    ledger: openLedger(join(root, '.beads'), { onStep: step, archiveAfterMs: config.store.archiveAfterMs }),
    host,
    clock,
    random,
    actor: actorOf(env, root),
    env,
    step,
    orchestrator() {
      orchestrator ??= makeOrchestrator(town, packageDir, around.remark ?? (() => undefined))
      return orchestrator
    },
    repositories() {
      repositories ??= import('./git/create-repositories.js').then(({ createRepositories }) =>
        createRepositories({ townRoot: root, lockDir: join(places.runDir, 'locks'), env, onStep: step }),
      )
      return repositories
    },
    async upkeep() {
      const { openUpkeep } = await import('./store/open-upkeep.js')
      return openUpkeep(join(root, '.beads'), {
        onStep: step,
        archiveAfterMs: config.store.archiveAfterMs,
        env,
      })
    },
    async chronicle() {
      const { openChronicle } = await import('./store/open-chronicle.js')
      return openChronicle(join(root, '.beads'))
    },
    prepareRuntime: (runtime) => prepareRuntime(runtime, places, packageDir),
    async watchConfig(onChange) {
      const { watchFile } = await import('./system/watch-file.js')
      return watchFile(join(root, 'town.toml'), () => {
        loadConfig(configSource)
          .then((fresh) => {
            town.config = fresh
            delete town.configProblem
          })
          .catch((error: unknown) => {
            town.configProblem = error instanceof Error ? error.message : String(error)
          })
          .finally(onChange)
      })
    },
    async editConfig(change) {
      const file = join(root, 'town.toml')
      const locked = await host.withLock('town-toml', 10_000, async () => {
        const before = readFileSync(file, 'utf8')
        const after = change(before)
        await checkConfig(configSource, after)
        const temporary = `${file}.${host.processToken.replace(':', '-')}`
        writeAtomically(file, after, { temporary, mode: 0o644 })
        town.config = await loadConfig(configSource)
      })
      if (locked.kind === 'busy') {
        throw new ConflictError(`town.toml is being changed by ${locked.by}`, {
          code: 'config-locked',
          hint: 'try again',
        })
      }
    },
  }
  return town
}

/**
 * A town for `gt doctor`: also one whose town.toml or store no other command can open.
 * @throws NotFoundError code `no-town`
 */
export async function openPatient(around: Surroundings): Promise<Patient> {
  const root = realpathSync(locateTown(around))
  const { env } = around
  const patient = {
    root,
    env,
    host: hostOf(around, root, townPlaces(root, around.packageDir)),
    clock: systemClock(),
    async upkeep() {
      const { openUpkeep } = await import('./store/open-upkeep.js')
      return openUpkeep(join(root, '.beads'), { onStep: killHere(env), env })
    },
  }
  try {
    return { ...patient, town: await openTown(around) }
  } catch (error) {
    return { ...patient, why: whyClosed(root, error) }
  }
}

function whyClosed(root: string, error: unknown): GtError {
  if (error instanceof GtError) return error
  const errno = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (errno === undefined) throw error
  return new OperationError(`${root} cannot be read: ${(error as Error).message}`, {
    code: 'town-not-readable',
    details: { errno },
    cause: error,
  })
}

function hostOf({ pid, env }: Surroundings, root: string, places: TownPlaces) {
  const { gtProgram, runDir, bellDir } = places
  return createHost({ pid, gtProgram, townRoot: root, runDir, bellDir, env })
}

function systemClock() {
  return {
    now: () => Date.now(),
    sleep: async (ms: number, signal?: AbortSignal) =>
      void (await sleep(ms, undefined, signal ? { signal } : {})),
  }
}

export function townPlaces(root: string, packageDir: string): TownPlaces {
  const runDir = join(root, 'run')
  const rigDir = (rig: string) => join(root, 'rigs', rig)
  return {
    gtProgram: join(packageDir, 'bin', 'gt'),
    gtFolder: join(packageDir, 'bin'),
    templatesDir: join(packageDir, 'templates'),
    runDir,
    bellDir: join(runDir, 'bells'),
    rigDir,
    worktree: (rig, name) => join(rigDir(rig), 'work', name),
    mergeWorktree: (rig) => join(rigDir(rig), 'merge'),
    log: (name) => join(runDir, 'logs', `${name}.log`),
  }
}

/** An agent's session says who it is; anybody else is the person. */
function actorOf(env: Whereabouts['env'], root: string): AgentId {
  const id = env.GT_AGENT
  const ofThisTown = env.GT_TOWN === undefined || resolve(env.GT_TOWN) === root
  return id !== undefined && ofThisTown && /^[a-z0-9-]+\/[a-z0-9-]+$/.test(id) ? (id as AgentId) : HUMAN
}

/** Both backends, each loaded when the first agent needs it: which one, is recorded with the agent. */
async function makeOrchestrator(
  town: Town,
  packageDir: string,
  remark: (text: string) => void,
): Promise<Orchestrator> {
  const { places, ledger } = town
  const lockDir = join(places.runDir, 'locks')
  const [{ createHybridOrchestrator }, { tmuxSocketPath }] = await Promise.all([
    import('./orchestrators/hybrid/hybrid-orchestrator.js'),
    import('./orchestrators/tmux/socket-path.js'),
  ])
  const socketPath = tmuxSocketPath(town.root)
  let tmux: Promise<Orchestrator> | undefined
  let opencode: Promise<Orchestrator> | undefined
  return createHybridOrchestrator({
    lockDir,
    fallback: town.config.fallback,
    parts: {
      tmux() {
        tmux ??= makeTmux(town, socketPath, lockDir)
        return tmux
      },
      opencode() {
        opencode ??= makeOpencode(town, packageDir, socketPath, remark)
        return opencode
      },
    },
    mayHold: {
      // A program can outlive its tmux server, which is then known by its file alone.
      tmux: () => existsSync(socketPath) || namesIn(lockDir).some((name) => name.endsWith('.process')),
      opencode: () => ['sessions', 'servers'].some((dir) => existsSync(join(places.runDir, 'opencode', dir))),
    },
    recorded: () =>
      new Map(
        ledger
          .read()
          .list({ kind: 'agent' })
          .map(agentFrom)
          .filter((agent) => agent.session !== undefined && agent.worktree !== undefined)
          .map((agent) => [agent.id, agent.backend]),
      ),
  })
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

async function makeTmux(
  { env, host }: Pick<Town, 'env' | 'host'>,
  socketPath: string,
  lockDir: string,
): Promise<Orchestrator> {
  const path = env.PATH ?? '/usr/bin:/bin'
  // Said here, so that it is known before anything is claimed.
  if (host.findProgram('tmux', path) === undefined) {
    throw new ExternalError('tmux is not installed, or not on PATH', {
      code: 'missing-binary',
      hint: 'install tmux 3.2 or newer',
    })
  }
  const { createTmuxOrchestrator } = await import('./orchestrators/tmux/tmux-orchestrator.js')
  return createTmuxOrchestrator({ socketPath, lockDir, path })
}

async function makeOpencode(
  town: Town,
  packageDir: string,
  tmuxSocketPath: string,
  remark: (text: string) => void,
): Promise<Orchestrator> {
  const { createOpencodeOrchestrator } = await import('./orchestrators/opencode/opencode-orchestrator.js')
  const { url, ...servers } = town.config.servers
  const password = town.env.GT_OPENCODE_SERVER_PASSWORD
  const username = town.env.GT_OPENCODE_SERVER_USERNAME ?? 'opencode'
  return createOpencodeOrchestrator({
    townRoot: town.root,
    runDir: town.places.runDir,
    env: town.env,
    tmuxSocketPath,
    ...servers,
    ...(url === undefined
      ? {}
      : { external: { url, username, plugin: 'gastown-', ...(password === undefined ? {} : { password }) } }),
    remark,
    async prepareConfig() {
      const { prepareOpencodeServerDir } = await import('./runtime-files/opencode-home.js')
      const dir = join(town.places.runDir, 'opencode', 'server-config')
      await prepareOpencodeServerDir({ dir, pluginSource: readPlugin(packageDir) })
      return dir
    },
  })
}

function readPlugin(packageDir: string): string {
  return readFileSync(join(packageDir, 'dist', 'plugin', 'gastown.js'), 'utf8')
}

async function prepareRuntime(
  runtime: Runtime,
  places: TownPlaces,
  packageDir: string,
): Promise<Record<string, string>> {
  mkdirSync(places.bellDir, { recursive: true, mode: 0o700 })
  if (runtime.hooks !== 'plugin') return {}
  const { prepareOpencodeConfigDir } = await import('./runtime-files/opencode-home.js')
  const dir = join(places.runDir, 'opencode')
  await prepareOpencodeConfigDir({
    dir,
    pluginSource: readPlugin(packageDir),
  })
  return { config_dir: dir }
}

/**
 * Makes a new town: folder, town.toml, beads store.
 * @returns its absolute path
 * @throws ConflictError code `town-exists`, or `not-empty` for a folder that holds something else; see Upkeep.sync for `from`
 */
export async function createTown(request: {
  dir: string
  name?: string
  packageDir: string
  /** Where the beads of a town that other machines have are fetched from; the new town goes on exchanging with it. */
  from?: Omit<SyncRequest, 'dryRun' | 'waitMs'>
  env?: Whereabouts['env']
}): Promise<string> {
  const root = resolve(request.dir)
  if (existsSync(join(root, 'town.toml'))) {
    throw new ConflictError(`${root} is a town already`, {
      code: 'town-exists',
      hint: `gt status --town ${root}`,
    })
  }
  const others = existsSync(root) ? readdirSync(root).filter((name) => name !== '.beads') : []
  if (others.length > 0) {
    throw new ConflictError(`${root} is not empty: it holds ${others.slice(0, 3).join(', ')}`, {
      code: 'not-empty',
      hint: 'a town needs a folder of its own: gt init DIR',
    })
  }
  mkdirSync(root, { recursive: true })
  const { createStore } = await import('./store/create-store.js')
  if (!existsSync(join(root, '.beads', 'local'))) await createStore(join(root, '.beads'))
  // A try that fails leaves a store without a town, which the next one takes up.
  if (request.from !== undefined) await fetchBeads(join(root, '.beads'), request.from, request.env)
  for (const folder of ['rigs', 'run', 'run/bells'])
    mkdirSync(join(root, folder), { recursive: true, mode: 0o700 })
  const template = readFileSync(join(request.packageDir, 'templates', 'town.toml'), 'utf8')
  const name =
    request.name ??
    (basename(root)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 32) ||
      'town')
  // Last: what has a town.toml is a whole town.
  const text = template.replaceAll('{name}', name)
  createTownToml(root, request.from === undefined ? text : withRemote(text, request.from.remote))
  return root
}

async function fetchBeads(
  dir: string,
  from: Omit<SyncRequest, 'dryRun' | 'waitMs'>,
  env: Whereabouts['env'] = {},
): Promise<void> {
  const { openUpkeep } = await import('./store/open-upkeep.js')
  await openUpkeep(dir, { env, onStep: killHere(env) }).sync({ ...from, waitMs: from.timeoutMs })
}

function withRemote(text: string, { url, refs }: Remote): string {
  const withUrl = withKey(text, 'store', 'remote', url)
  return refs === 'branches' ? withUrl : withKey(withUrl, 'store', 'remote_refs', refs)
}

/** Whole and on disk, or not at all; of two that make the same town at once, one is told. */
function createTownToml(root: string, text: string): void {
  const whole = join(root, `town.toml.${randomBytes(6).join('')}`)
  writeAtomically(whole, text, { temporary: `${whole}.tmp`, mode: 0o644 })
  try {
    linkSync(whole, join(root, 'town.toml'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new ConflictError(`${root} is a town already`, {
      code: 'town-exists',
      hint: `gt status --town ${root}`,
    })
  } finally {
    rmSync(whole, { force: true })
  }
}
