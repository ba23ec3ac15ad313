import { BACKEND_NAMES, type BackendName } from './config.js'
import { members, number, oneOf, text } from './fields.js'
import type { AgentId, BeadId } from './ids.js'
import type { Entity } from './record.js'

/**
 * Places for agents of one kind in one rig, and the beads that wait for a free place. A place without work is nothing but
 * a number: no process, no token. Each bead gets an agent and a conversation of its own.
 *
 *   open → stopped    no bead is given out any more; agents at work finish
 */
export interface Pool {
  id: string
  shownId: string
  generation: number
  rig: string
  role?: string
  runtime?: string
  backend?: BackendName
  model?: string
  /** Agents at work at once. */
  size: number
  status: 'open' | 'stopped'
  /** Keys of the beads that wait for a place. */
  queue: readonly string[]
  /** Why the last bead could not be given out. */
  problem?: string
  createdAt: string
}

export function poolFrom(entity: Entity): Pool {
  const optional = (field: 'role' | 'runtime' | 'model' | 'problem') => {
    const value = text(entity, field)
    return value === undefined ? {} : { [field]: value }
  }
  const backend = oneOf(entity, 'backend', BACKEND_NAMES)
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    rig: text(entity, 'rig') ?? '',
    ...optional('role'),
    ...optional('runtime'),
    ...(backend === undefined ? {} : { backend }),
    ...optional('model'),
    ...optional('problem'),
    size: number(entity, 'size') ?? 1,
    status: text(entity, 'status') === 'stopped' ? 'stopped' : 'open',
    queue: members(entity, 'queue'),
    createdAt: entity.createdAt,
  }
}

/** An agent that holds a bead for a pool. */
export interface PoolMember {
  agent: AgentId
  bead: BeadId
  /** Its bead is handed in: nothing is expected of the session any more. */
  isHandedIn: boolean
  /** Proven by the backend; `unknown` when it could not be asked. */
  liveness: 'running' | 'stopped' | 'unknown'
  /** A person ended it: it stays so. */
  isStoppedByPerson: boolean
  /** A sling works on it now, or was interrupted: running that sling again finishes it. */
  isBeingSlung: boolean
  /** How often the pool started it again for this bead. */
  revivals: number
}

export type PoolStep =
  | { kind: 'give'; bead: string }
  | { kind: 'revive'; agent: AgentId }
  /** The agent died too often: its bead goes to another one, its tree is saved. */
  | { kind: 'take-back'; agent: AgentId; bead: string }

/** A session that died this often on one bead will not be better the next time. */
export const MAX_REVIVALS = 2

/**
 * What a pool would do now. Pure: same facts, same steps; nothing is done about what could not be asked.
 * @param ready - keys of beads of the queue that could be slung now, most urgent first
 */
export function planPool(
  pool: Pool,
  poolMembers: readonly PoolMember[],
  ready: readonly string[],
): PoolStep[] {
  if (pool.status !== 'open') return []
  const repairs = poolMembers.flatMap((member): PoolStep[] => {
    const isDead =
      member.liveness === 'stopped' && !member.isHandedIn && !member.isStoppedByPerson && !member.isBeingSlung
    if (!isDead) return []
    if (member.revivals < MAX_REVIVALS) return [{ kind: 'revive', agent: member.agent }]
    return [{ kind: 'take-back', agent: member.agent, bead: member.bead }]
  })
  const free = Math.max(0, pool.size - poolMembers.length)
  return [...repairs, ...ready.slice(0, free).map((bead): PoolStep => ({ kind: 'give', bead }))]
}
