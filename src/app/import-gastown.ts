import { chooseBackend, type SessionBackend } from '../domain/choose-backend.js'
import { GtError, NotFoundError, OperationError } from '../domain/errors.js'
import {
  addressHere,
  type GasTownRig,
  type GasTownRoute,
  gasTownRig,
  nameHere,
  parseObject,
  readRigs,
  readRoutes,
  rigOfRoute,
} from '../domain/gas-town-home.js'
import { agentId, printable } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import { addRig } from './add-rig.js'
import { pick } from './choose-runtime.js'
import { type ImportReceipt, importBeads } from './import-beads.js'
import type { Town } from './town.js'

export interface GasTownReceipt {
  rigs: { added: string[]; known: string[] }
  /** One for each file of issues. */
  stores: { file: string; receipt: ImportReceipt }[]
  crew: { added: string[]; known: string[] }
  /** What stands there and was not taken, with the reason. */
  left: Left[]
  dryRun: boolean
}

export interface Left {
  what: string
  why: string
  /** It should have been taken, and was not. */
  isFailure: boolean
}

export interface GasTownOptions {
  dryRun: boolean
  skipBad: boolean
}

/** A file of issues, and the rig whose work they are. */
interface Source {
  file: string
  text: string
  rig?: string
}

/**
 * Takes over a Gas Town home: its rigs, the beads of the town and of each rig, crew workspaces as agents. Repeating it takes what is
 * new. The home itself is only read.
 *
 * @param home - absolute path
 * @throws NotFoundError code `no-gas-town`; OperationError code `bad-lines` before anything is taken
 */
export async function importGasTown(
  town: Town,
  home: string,
  options: GasTownOptions,
): Promise<GasTownReceipt> {
  const registry = parseObject(town.host.readFile(`${home}/mayor/rigs.json`))
  if (registry === undefined) {
    throw new NotFoundError(
      `${printable(home, 200)} is no Gas Town home: it has no mayor/rigs.json that can be read`,
      {
        code: 'no-gas-town',
        hint: 'name the folder that holds mayor/, like ~/gt',
      },
    )
  }
  const rigs = readRigs(registry).map(({ theirs, entry }) =>
    gasTownRig(
      theirs,
      entry,
      parseObject(town.host.readFile(`${home}/${theirs}/config.json`)) ?? null,
      parseObject(town.host.readFile(`${home}/${theirs}/settings/config.json`)) ?? null,
    ),
  )
  const receipt: GasTownReceipt = {
    rigs: { added: [], known: [] },
    stores: [],
    crew: { added: [], known: [] },
    left: [],
    dryRun: options.dryRun,
  }
  const sources = findSources(town, home, rigs, receipt.left)
  const importAll = (dryRun: boolean) =>
    sources.map((source) => ({
      file: source.file,
      receipt: importSource(town, source, { ...options, dryRun }),
    }))
  // Bad lines are said before the first rig is registered.
  refuseBadLines(sources, (source) => importSource(town, source, { ...options, dryRun: true }))
  for (const rig of rigs) await takeRig(town, rig, receipt)
  receipt.stores = importAll(options.dryRun)
  for (const rig of rigs) takeCrew(town, home, rig, receipt)
  receipt.left.push(...leftBehind(town, home, rigs))
  return receipt
}

function importSource(town: Town, source: Source, options: GasTownOptions): ImportReceipt {
  return importBeads(town, source.text, {
    ...options,
    address: addressHere,
    ...(source.rig === undefined ? {} : { rig: source.rig }),
  })
}

function refuseBadLines(sources: readonly Source[], tryIt: (source: Source) => unknown): void {
  const problems: string[] = []
  const details: unknown[] = []
  for (const source of sources) {
    try {
      tryIt(source)
    } catch (error) {
      if (!(error instanceof GtError) || error.code !== 'bad-lines') throw error
      problems.push(`${source.file}: ${error.message}`)
      details.push({ file: source.file, ...error.details })
    }
  }
  if (problems.length === 0) return
  throw new OperationError(problems.join('\n'), {
    code: 'bad-lines',
    hint: 'mend them, or leave them out with --skip-bad',
    details: { files: details },
  })
}

/** Where the routes lead, else where a home of before the routes has them. */
function findSources(town: Town, home: string, rigs: readonly GasTownRig[], left: Left[]): Source[] {
  const written = readRoutes(town.host.readFile(`${home}/.beads/routes.jsonl`) ?? '')
  const routes: GasTownRoute[] = written.length > 0 ? written : defaultRoutes(rigs)
  const sources: Source[] = []
  const seen = new Set<string>()
  for (const route of routes) {
    const directory = beadsDirectory(town, route.path === '.' ? home : `${home}/${route.path}`)
    const file = ['issues.jsonl', 'beads.jsonl']
      .map((name) => `${directory}/${name}`)
      .find((path) => town.host.exists(path))
    const text = file === undefined ? undefined : town.host.readFile(file)
    if (file === undefined || text === undefined) {
      left.push({
        what: `beads ${route.prefix}* in ${route.path}`,
        why: `there is no issues.jsonl; write one: bd -C ${route.path} export -o ${directory}/issues.jsonl`,
        isFailure: true,
      })
      continue
    }
    if (seen.has(file)) continue
    seen.add(file)
    const theirs = rigOfRoute(route)
    const rig =
      theirs === undefined ? undefined : (rigs.find((one) => one.theirs === theirs)?.name ?? nameHere(theirs))
    sources.push({ file, text, ...(rig === undefined ? {} : { rig }) })
  }
  return sources
}

function defaultRoutes(rigs: readonly GasTownRig[]): GasTownRoute[] {
  return [
    { prefix: 'hq-', path: '.' },
    ...rigs.map(({ theirs, prefix = theirs }) => ({ prefix: `${prefix}-`, path: `${theirs}/mayor/rig` })),
  ]
}

const MAX_REDIRECTS = 3

/** `.beads/redirect` holds a path, relative to the folder that `.beads` is in. */
function beadsDirectory(town: Town, folder: string): string {
  let directory = `${folder}/.beads`
  let base = folder
  for (let i = 0; i < MAX_REDIRECTS; i++) {
    const target = town.host.readFile(`${directory}/redirect`)?.trim()
    if (target === undefined || target === '') return directory
    directory = resolvePath(base, target)
    base = directory.replace(/\/[^/]*$/, '')
  }
  return directory
}

function resolvePath(base: string, target: string): string {
  const parts = (target.startsWith('/') ? target : `${base}/${target}`).split('/')
  const kept: string[] = []
  for (const part of parts) {
    if (part === '..') kept.pop()
    else if (part !== '.' && part !== '') kept.push(part)
  }
  return `/${kept.join('/')}`
}

async function takeRig(town: Town, rig: GasTownRig, receipt: GasTownReceipt): Promise<void> {
  if (Object.hasOwn(town.config.rigs, rig.name)) {
    receipt.rigs.known.push(rig.name)
    return
  }
  if (receipt.dryRun) {
    receipt.rigs.added.push(rig.name)
    return
  }
  const { name, url, branch, prefix, gates } = rig
  try {
    await addRig(town, {
      name,
      from: url,
      gates,
      cwd: town.root,
      ...(branch === undefined ? {} : { branch }),
      ...(prefix === undefined ? {} : { prefix }),
    })
    receipt.rigs.added.push(name)
  } catch (error) {
    if (!(error instanceof GtError)) throw error
    receipt.left.push({ what: `rig ${rig.theirs}`, why: error.message, isFailure: true })
  }
}

/** A crew workspace is the person's own clone: it stays where it is, and the agent knows of it. */
function takeCrew(town: Town, home: string, rig: GasTownRig, receipt: GasTownReceipt): void {
  for (const theirs of foldersIn(town, `${home}/${rig.theirs}/crew`)) {
    const name = nameHere(theirs)
    const hasRig = receipt.dryRun || Object.hasOwn(town.config.rigs, rig.name)
    if (name === '' || !hasRig) {
      const why = hasRig ? 'its name cannot be one here' : 'its rig was not taken'
      receipt.left.push({ what: `crew ${rig.theirs}/${theirs}`, why, isFailure: true })
      continue
    }
    const id = agentId(rig.name, name)
    const isKnown = town.ledger.read().get(id) !== undefined
    receipt.crew[isKnown ? 'known' : 'added'].push(id)
    if (!isKnown && !receipt.dryRun) recordCrew(town, rig, id, `${home}/${rig.theirs}/crew/${theirs}`)
  }
}

function recordCrew(town: Town, rig: GasTownRig, id: string, workspace: string): void {
  town.ledger.transact(town.actor, (view) => {
    if (view.get(id) !== undefined) return {}
    const op: Op = {
      o: 'new',
      id,
      k: 'agent',
      f: {
        role: 'crew',
        runtime: town.config.rigs[rig.name]?.runtime ?? town.config.runtime,
        backend: backendOf(town, rig.name),
        rig: rig.name,
        // Not `worktree`: what stands there is removed with the agent.
        workspace,
      },
    }
    return { ops: [op, { o: 'ev', type: 'agent.imported', data: { agent: id, workspace } }] }
  })
}

function backendOf(town: Town, name: string): SessionBackend {
  const rig = town.config.rigs[name]
  const runtime = pick(town.config.runtimes, rig?.runtime ?? town.config.runtime, 'runtime')
  return chooseBackend({
    role: town.config.roles.crew?.backend,
    rig: rig?.backend,
    town: town.config.backend,
    runtime,
  })
}

function foldersIn(town: Town, path: string): string[] {
  return (town.host.listFolder(path) ?? []).flatMap((name) =>
    name.endsWith('/') && !name.startsWith('.') ? [name.slice(0, -1)] : [],
  )
}

/** What a person may miss here later, so that they know where it is. */
function leftBehind(town: Town, home: string, rigs: readonly GasTownRig[]): Left[] {
  const left: Left[] = []
  const note = (what: string, why: string) => left.push({ what, why, isFailure: false })
  for (const { theirs } of rigs) {
    for (const name of foldersIn(town, `${home}/${theirs}/polecats`))
      note(
        `polecat ${theirs}/${name}`,
        'its branch and worktree stay there; land or push what it has before you leave',
      )
  }
  const folders = [
    [
      'settings',
      'settings of agents, themes and escalation have no counterpart that could be filled in by itself',
    ],
    ['config', 'mail lists and queues'],
    ['directives', 'texts for roles: put them into templates of [roles] in town.toml'],
    ['formula-overlays', 'gt has no formulas'],
    ['plugins', 'patrol plugins'],
  ] as const
  for (const [name, why] of folders) if (town.host.exists(`${home}/${name}`)) note(`${name}/`, why)
  return left
}
