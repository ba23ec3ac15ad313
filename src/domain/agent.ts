import { SESSION_BACKENDS, type SessionBackend } from './choose-backend.js'
import { number, oneOf, text } from './fields.js'
import type { AgentId, BeadId } from './ids.js'
import { splitAgentId } from './ids.js'
import type { Entity } from './record.js'

/** A named worker. Its identity and history outlive its sessions. */
export interface Agent {
  id: AgentId
  name: string
  generation: number
  rig?: string
  role: string
  runtime: string
  backend: SessionBackend
  model?: string
  /** The bead it is bound to now. Moves with the bead, in one guarded record. */
  hook?: BeadId
  /** Generation of the bead when it was hooked: the fencing token that `done` and the merge queue carry. */
  worktree?: string
  branch?: string
  /** Commit the branch started from. */
  base?: string
  /** Key of its newest session. */
  session?: string
  /** Who slings it now, so that an interrupted sling can be told from a running one: `pid:startTime`. */
  slinger?: string
  /** Note of the last session to the next. */
  handoff?: string
  /** Clone id of the machine that its session and worktree are on. */
  home?: string
  /** Key of the pool that it works for. */
  pool?: string
  /** How often its pool started it again on its present bead. */
  revivals: number
  createdAt: string
  updatedAt: string
}

export function agentFrom(entity: Entity): Agent {
  const optional = (field: string, as = field) => {
    const value = text(entity, field)
    return value === undefined ? {} : { [as]: value }
  }
  return {
    id: entity.id as AgentId,
    name: splitAgentId(entity.id as AgentId).name,
    generation: entity.generation,
    role: text(entity, 'role') ?? 'polecat',
    runtime: text(entity, 'runtime') ?? 'opencode',
    backend: oneOf(entity, 'backend', SESSION_BACKENDS) ?? 'tmux',
    ...optional('rig'),
    ...optional('model'),
    ...optional('hook'),
    ...optional('worktree'),
    ...optional('branch'),
    ...optional('base'),
    ...optional('session'),
    ...optional('slinger'),
    ...optional('handoff'),
    ...optional('home'),
    ...optional('pool'),
    revivals: number(entity, 'revivals') ?? 0,
    createdAt: entity.createdAt,
    updatedAt: entity.updatedAt,
  }
}

/** Names given to agents that the user does not name, in order. */
export const NAME_POOL = [
  'toast',
  'nux',
  'furiosa',
  'slit',
  'capable',
  'dag',
  'cheedo',
  'keeper',
  'valkyrie',
  'rictus',
  'ace',
  'morsov',
  'angharad',
  'miss-giddy',
  'organic',
  'prime',
  'corpus',
  'doof',
  'glory',
  'max',
  'buzzard',
  'coma',
  'gas',
  'bullet',
  'wretched',
  'imperator',
  'vuvalini',
  'pursuit',
  'interceptor',
  'chrome',
  'citadel',
  'octane',
  'piston',
  'rover',
] as const

/** First free name: the pool, then the pool with numbers. */
export function nextAgentName(taken: (name: string) => boolean): string {
  for (let round = 1; ; round++) {
    for (const name of NAME_POOL) {
      const candidate = round === 1 ? name : `${name}-${round}`
      if (!taken(candidate)) return candidate
    }
  }
}
