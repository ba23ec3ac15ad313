import type { Json } from './record.js'
import { getOwn } from './same-json.js'

/**
 * What stands in the files of a Gas Town home, as far as it can be taken over. The layout is that of its
 * docs/design/architecture.md and internal/config/types.go (gastownhall/gastown), last compared 2026-11.
 */
export interface GasTownRig {
  /** As it is called there. */
  theirs: string
  /** As it can be called here: lower case, digits, "-". */
  name: string
  url: string
  branch?: string
  prefix?: string
  /** Shell lines of its merge queue, in the order in which it runs them. */
  gates: string[]
}

export interface GasTownRoute {
  /** With its dash: `gp-`. */
  prefix: string
  /** Relative to the home; `.` is the town itself. */
  path: string
}

type JsonObject = Readonly<Record<string, Json>>

export function readRigs(registry: Json): { theirs: string; entry: JsonObject }[] {
  const rigs = objectAt(registry, 'rigs') ?? {}
  return Object.keys(rigs)
    .sort()
    .flatMap((theirs) => {
      const entry = asObject(getOwn(rigs, theirs))
      return entry === undefined ? [] : [{ theirs, entry }]
    })
}

/**
 * @param config - `<rig>/config.json`
 * @param settings - `<rig>/settings/config.json`
 */
export function gasTownRig(theirs: string, entry: JsonObject, config: Json, settings: Json): GasTownRig {
  const url = textAt(entry, 'git_url') ?? textAt(config, 'git_url') ?? ''
  const branch = textAt(config, 'default_branch')
  const prefix = (
    textAt(objectAt(entry, 'beads'), 'prefix') ?? textAt(objectAt(config, 'beads'), 'prefix')
  )?.replace(/-$/, '')
  return {
    theirs,
    name: nameHere(theirs),
    // It means a remote even where it is a path.
    url: url.startsWith('/') ? `file://${url}` : url,
    ...(branch === undefined ? {} : { branch }),
    ...(prefix !== undefined && /^[a-z][a-z0-9]{0,11}$/.test(prefix) ? { prefix } : {}),
    gates: gatesOf(objectAt(settings, 'merge_queue')),
  }
}

export function nameHere(theirs: string): string {
  return theirs
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 32)
}

/** An address as it is called here: `gastown/crew/max` is `gastown/max`, the overseer is the person; town-level ones stay. */
export function addressHere(theirs: string): string {
  const worker = /^([\w-]+)\/(?:crew|polecats)\/([\w-]+)\/?$/.exec(theirs)
  if (worker) return `${nameHere(worker[1] ?? '')}/${nameHere(worker[2] ?? '')}`
  return theirs === 'overseer' || theirs === 'overseer/' ? 'human' : theirs
}

const GATES = ['setup_command', 'typecheck_command', 'lint_command', 'build_command', 'test_command']

function gatesOf(queue: JsonObject | undefined): string[] {
  if (queue === undefined || queue.enabled === false || queue.run_tests === false) return []
  return GATES.flatMap((name) => textAt(queue, name) ?? []).filter((line) => line !== '')
}

/** Lines that are none are left out: bd itself has written issues into this file. */
export function readRoutes(text: string): GasTownRoute[] {
  return text.split('\n').flatMap((line) => {
    const route = parseObject(line)
    const [prefix, path] = [textAt(route, 'prefix'), textAt(route, 'path')]
    return prefix === undefined || path === undefined ? [] : [{ prefix, path: path === '' ? '.' : path }]
  })
}

/** The directory name under the home that a route belongs to; undefined for the town itself. */
export function rigOfRoute({ path }: GasTownRoute): string | undefined {
  const first = path.split('/').find((part) => part !== '' && part !== '.')
  return first
}

export function parseObject(text: string | undefined): Record<string, Json> | undefined {
  if (text === undefined || text.trim() === '') return undefined
  try {
    return asObject(JSON.parse(text) as Json)
  } catch {
    return undefined
  }
}

function asObject(value: Json | undefined): Record<string, Json> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
}

function objectAt(value: Json | undefined, key: string): Record<string, Json> | undefined {
  return asObject(getOwn(asObject(value) ?? {}, key))
}

function textAt(value: Json | undefined, key: string): string | undefined {
  const text = getOwn(asObject(value) ?? {}, key)
  return typeof text === 'string' ? text : undefined
}
