import { object, text } from './fields.js'
import type { Entity, Fields, Json, Op } from './record.js'
import type { Gate, Rig } from './rig.js'

/**
 * What the machines of a town tell each other about its rigs. town.toml stays the truth of its machine: each writes its own
 * definition into a field of its own, so that two that differ do not fight, and a new machine starts from the newest.
 */
export interface SharedRig {
  name: string
  /** Undefined: a clone on somebody's disk, which no other machine can have. */
  url?: string
  branch: string
  prefix: string
  runtime?: string
  maxAgents?: number
  gates: Gate[]
  /** ISO 8601. */
  at: string
}

const KEY = 'rig:'

export function sharedRigKey(name: string): string {
  return `${KEY}${name}`
}

/** The operations that make the store say what this machine's town.toml says; none when it does already. */
export function publishRigOps(request: {
  rigs: readonly Rig[]
  known: readonly Entity[]
  /** Ids this machine writes under, the present one first. */
  clones: readonly string[]
  at: string
}): Op[] {
  const { rigs, known, clones, at } = request
  const own = `def_${clones[0] ?? ''}`
  const ops: Op[] = []
  for (const rig of rigs) {
    const id = sharedRigKey(rig.name)
    const entity = known.find((one) => one.id === id)
    const wanted = definition(rig)
    const written = entity === undefined ? undefined : object(entity, own)
    if (written !== undefined && sameDefinition(written, wanted)) continue
    const f: Fields = { [own]: { ...wanted, at } }
    ops.push(
      entity === undefined ? { o: 'new', id, k: 'rig', f: { name: rig.name, ...f } } : { o: 'set', id, f },
    )
  }
  for (const entity of known) {
    if (rigs.some((rig) => sharedRigKey(rig.name) === entity.id)) continue
    const mine = clones.map((clone) => `def_${clone}`).filter((field) => object(entity, field) !== undefined)
    if (mine.length > 0)
      ops.push({ o: 'set', id: entity.id, f: Object.fromEntries(mine.map((field) => [field, null])) })
  }
  return ops
}

function definition(rig: Rig): Record<string, Json> {
  return {
    ...(rig.source.kind === 'url' ? { url: withoutUser(rig.source.url) } : {}),
    branch: rig.branch,
    prefix: rig.prefix,
    ...(rig.runtime === undefined ? {} : { runtime: rig.runtime }),
    ...(rig.maxAgents === undefined ? {} : { max_agents: rig.maxAgents }),
    gates: rig.gates.map(({ name, run, timeoutMs }) => ({ name, run, timeout_ms: timeoutMs })),
  }
}

/** Tokens stand there; the name in an ssh address is needed. */
function withoutUser(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/i, '$1')
}

function sameDefinition(written: Record<string, Json>, wanted: Record<string, Json>): boolean {
  const { at: _, ...rest } = written
  return JSON.stringify(sorted(rest)) === JSON.stringify(sorted(wanted))
}

function sorted(value: Record<string, Json>): [string, Json][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** The newest definition that any machine has; undefined when the last one took it out. */
export function sharedRigFrom(entity: Entity): SharedRig | undefined {
  const found = Object.keys(entity.fields)
    .filter((field) => field.startsWith('def_'))
    .map((field) => object(entity, field))
    .filter((one) => one !== undefined)
    .sort((a, b) => (String(a.at) < String(b.at) ? 1 : -1))[0]
  if (found === undefined) return undefined
  const word = (key: string) => (typeof found[key] === 'string' ? found[key] : undefined)
  const [url, runtime, maxAgents] = [word('url'), word('runtime'), found.max_agents]
  return {
    name: text(entity, 'name') ?? entity.id.slice(KEY.length),
    branch: word('branch') ?? 'main',
    prefix: word('prefix') ?? 'bead',
    gates: Array.isArray(found.gates) ? found.gates.flatMap(gateFrom) : [],
    at: word('at') ?? '',
    ...(url === undefined ? {} : { url }),
    ...(runtime === undefined ? {} : { runtime }),
    ...(typeof maxAgents === 'number' ? { maxAgents } : {}),
  }
}

function gateFrom(value: Json): Gate[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const { name, run, timeout_ms: timeoutMs } = value
  if (typeof name !== 'string' || typeof run !== 'string') return []
  return [{ name, run, timeoutMs: typeof timeoutMs === 'number' ? timeoutMs : 20 * 60_000 }]
}
