import { type Agent, agentFrom, nextAgentName } from '../domain/agent.js'
import type { Bead } from '../domain/bead.js'
import type { SessionBackend } from '../domain/choose-backend.js'
import type { Role } from '../domain/config.js'
import { ConflictError, OperationError } from '../domain/errors.js'
import { type AgentId, agentId, branchName } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import type { Rig } from '../domain/rig.js'
import type { Runtime } from '../domain/runtime.js'
import type { View } from '../ports/ledger.js'
import { statusMove } from './change-bead.js'
import { findBead, getBead } from './find-entity.js'
import { homeHere, isHere } from './here.js'
import { openBlockers } from './list-beads.js'
import { releaseOps } from './release-agent.js'
import type { Town } from './town.js'

/** What a new agent is made of. */
export interface Crew {
  rig: Rig
  role: Role
  runtime: Runtime
  backend: SessionBackend
  base: string
}

/** What the person may choose about the claim. */
export interface ClaimWishes {
  /** The bead must still be at this generation: a lease was taken for the next one. */
  generation?: number
  name?: string
  model?: string
  /** Key of the pool it works for. */
  pool?: string
}

/** Claims the bead and binds the agent to it in one record: exactly one of many slings gets it. */
export function claimBead(
  town: Town,
  crew: Crew,
  beadKey: string,
  request: ClaimWishes,
): { agent: Agent; bead: Bead; resumed: boolean } {
  const decision = town.ledger.transact(town.actor, (view) => {
    const bead = getBead(view, beadKey)
    const interrupted = findInterrupted(town, view, bead)
    if (interrupted) {
      return {
        agent: interrupted.id,
        resumed: true,
        ops: [
          {
            o: 'move',
            id: interrupted.id,
            gen: interrupted.generation + 1,
            f: { slinger: town.host.processToken },
          },
        ] satisfies Op[],
      }
    }
    checkSlingable(view, bead)
    checkGeneration(bead, request.generation)
    checkLimits(town, view, crew.rig)
    const id = chooseAgent(view, crew.rig, request.name, new Set())
    return { agent: id, resumed: false, ops: claimOps(town, view, crew, bead, id, request) }
  })
  const view = town.ledger.read()
  const entity = view.get(decision.agent)
  if (!entity) throw new Error(`agent ${decision.agent} was written but cannot be read`)
  return { agent: agentFrom(entity), bead: getBead(view, beadKey), resumed: decision.resumed }
}

function claimOps(town: Town, view: View, crew: Crew, bead: Bead, id: AgentId, request: ClaimWishes): Op[] {
  const existing = view.get(id)
  const fields = {
    role: crew.role.name,
    runtime: crew.runtime.name,
    backend: crew.backend,
    rig: crew.rig.name,
    hook: bead.id,
    worktree: town.places.worktree(crew.rig.name, id.slice(id.indexOf('/') + 1)),
    branch: branchName(id, bead.shownId),
    base: crew.base,
    session: null,
    handoff: null,
    home: homeHere(town) ?? null,
    pool: request.pool ?? null,
    revivals: null,
    model: request.model ?? crew.role.model ?? null,
    slinger: town.host.processToken,
  }
  return [
    // By a move even when it is new: of two machines that claim one bead for one name, the same wins both.
    ...(existing ? [] : [{ o: 'new', id, k: 'agent', f: { rig: crew.rig.name } } satisfies Op]),
    { o: 'move', id, gen: (existing?.generation ?? 1) + 1, f: fields },
    statusMove(bead, 'hooked', { assignee: id, rig: crew.rig.name, home: homeHere(town) ?? null }),
    ...leavePools(view, bead),
    { o: 'ev', type: 'bead.slung', data: { bead: bead.id, agent: id, rig: crew.rig.name } },
  ]
}

/** Whoever takes it: a bead that is at work waits in no pool, and is not given out again when it is taken back. */
function leavePools(view: View, bead: Bead): Op[] {
  return view
    .referrers('pool', 'queue', bead.id)
    .map((pool) => ({ o: 'del', id: pool.id, f: 'queue', x: [bead.id] }))
}

/** A sling of this very bead whose process is gone: it is finished instead of refused. */
function findInterrupted(town: Town, view: View, bead: Bead): Agent | undefined {
  if (bead.status !== 'hooked' || bead.assignee === undefined) return undefined
  const entity = view.get(bead.assignee)
  if (entity?.kind !== 'agent') return undefined
  const agent = agentFrom(entity)
  // The process of another machine cannot be asked from here.
  if (agent.hook !== bead.id || agent.slinger === undefined || !isHere(town, agent.home)) return undefined
  return town.host.isProcessAlive(agent.slinger) === false ? agent : undefined
}

function checkGeneration(bead: Bead, expected: number | undefined): void {
  if (expected === undefined || bead.generation === expected) return
  throw new ConflictError(`${bead.shownId} moved on while its lease was taken`, {
    code: 'bead-moved',
    hint: 'sling it again',
    details: { bead: bead.id, generation: bead.generation },
  })
}

export function checkSlingable(view: View, bead: Bead): void {
  if (bead.status === 'hooked' || bead.status === 'in_review') {
    const state = bead.status === 'hooked' ? 'is already hooked by' : 'is in the merge queue, from'
    throw new ConflictError(`${bead.shownId} ${state} ${bead.assignee}`, {
      code: 'bead-taken',
      hint: `see it: gt peek ${bead.assignee} · take it back: gt unsling ${bead.shownId}`,
      details: { bead: bead.id, assignee: bead.assignee ?? null },
    })
  }
  if (bead.status !== 'open') {
    throw new ConflictError(`${bead.shownId} is ${bead.status}`, {
      code: 'bead-not-open',
      hint: `gt bead reopen ${bead.shownId}`,
      details: { bead: bead.id, status: bead.status },
    })
  }
  const blockers = openBlockers(view, bead)
  if (blockers.length > 0) {
    const shown = blockers.map((key) => view.get(key)?.shownId ?? key)
    throw new ConflictError(`${bead.shownId} waits for ${shown.join(', ')}`, {
      code: 'bead-blocked',
      hint: `sling that first, or drop the dependency: gt bead dep remove ${bead.shownId} ${shown[0]}`,
      details: { bead: bead.id, blockers },
    })
  }
}

function checkLimits(town: Town, view: View, rig: Rig): void {
  const busy = view
    .list({ kind: 'agent' })
    .map(agentFrom)
    .filter((agent) => agent.hook !== undefined)
  refuseAbove(busy.length, town.config.limits.agents, 'this town', '[limits] agents')
  const inRig = busy.filter((agent) => agent.rig === rig.name).length
  if (rig.maxAgents !== undefined)
    refuseAbove(inRig, rig.maxAgents, rig.name, `[rigs.${rig.name}] max_agents`)
}

function refuseAbove(busy: number, limit: number, where: string, key: string): void {
  if (busy < limit) return
  throw new OperationError(`${busy} agents are at work, and the limit of ${where} is ${limit}`, {
    code: 'too-many-agents',
    hint: `wait for one to finish, or raise ${key} in town.toml; a pool waits by itself: gt pool assign`,
  })
}

export function chooseAgent(
  view: View,
  rig: Rig,
  wanted: string | undefined,
  taken: ReadonlySet<string>,
): AgentId {
  const isBusy = (id: AgentId): Agent | undefined => {
    const entity = view.get(id)
    if (entity?.kind !== 'agent') return undefined
    const agent = agentFrom(entity)
    // A worktree that is still there belongs to the last bead until it is cleaned up.
    return agent.hook !== undefined || agent.worktree !== undefined ? agent : undefined
  }
  if (wanted !== undefined) {
    const id = agentId(rig.name, wanted)
    const busy = isBusy(id)
    if (!busy && !taken.has(id)) return id
    const hasOnlyTree = busy !== undefined && busy.hook === undefined
    const why = hasOnlyTree
      ? 'still has the worktree of its last bead'
      : `already works on ${view.get(busy?.hook ?? '')?.shownId ?? 'another bead'}`
    throw new ConflictError(`${id} ${why}`, {
      code: 'agent-busy',
      hint: hasOnlyTree
        ? `gt agent remove ${id} saves and removes it; or choose another --name`
        : 'choose another --name, or leave it out',
    })
  }
  return agentId(
    rig.name,
    nextAgentName((name) => {
      const id = agentId(rig.name, name)
      // A person's own helper keeps its name.
      return taken.has(id) || isBusy(id) !== undefined || view.get(id)?.fields.role === 'crew'
    }),
  )
}

/** Gives the bead back, if this sling still holds it. @returns whether it did */
export function releaseClaim(town: Town, agent: Agent): boolean {
  const decision = town.ledger.transact(town.actor, (view) => {
    const entity = view.get(agent.id)
    const now = entity === undefined ? undefined : agentFrom(entity)
    const bead = findBead(view, agent.hook)
    const isHeld = now?.hook === agent.hook && bead?.status === 'hooked' && bead.assignee === agent.id
    return now && isHeld ? { released: true, ops: releaseOps(now, bead, 'open') } : { released: false }
  })
  return decision.released
}
