import { agentFrom } from '../domain/agent.js'
import { beadFrom } from '../domain/bead.js'
import type { BackendName } from '../domain/config.js'
import { ConflictError, UsageError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import { type Pool, poolFrom } from '../domain/pool.js'
import type { Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { pick } from './choose-runtime.js'
import { getBead, getPool, getRig } from './find-entity.js'
import { newKey } from './new-key.js'
import type { Town } from './town.js'

export interface PoolWishes {
  rig: string
  size: number
  role?: string
  runtime?: string
  backend?: BackendName
  model?: string
}

/** A pool as people see it. */
export interface PoolView {
  id: string
  rig: string
  status: Pool['status']
  size: number
  role: string
  runtime: string
  /** Agents that hold a bead for it, with the shown id of that bead. */
  atWork: { agent: string; bead: string }[]
  /** Shown ids of the beads that wait for a place. */
  waiting: string[]
  problem?: string
}

/**
 * Opens a pool. It costs nothing until beads are assigned to it.
 * @throws NotFoundError for an unknown rig, role or runtime
 */
export function startPool(town: Town, wishes: PoolWishes): PoolView {
  const rig = getRig(town, wishes.rig)
  if (wishes.role !== undefined) pick(town.config.roles, wishes.role, 'role')
  if (wishes.runtime !== undefined) pick(town.config.runtimes, wishes.runtime, 'runtime')
  const { role, runtime, backend, model, size } = wishes
  const decision = town.ledger.transact(town.actor, (view) => {
    const { id, a } = newKey(town, view, 'pl')
    const f = given({ status: 'open', rig: rig.name, size, role, runtime, backend, model })
    return { id, ops: [{ o: 'new', id, k: 'pool', a, f }] satisfies Op[] }
  })
  return showPool(town, decision.id)
}

/**
 * Beads wait in the pool until a place is free. A bead waits in one pool at most; one that is waiting there already stays.
 * @throws ConflictError code `bead-taken` | `bead-not-open` | `pool-stopped`
 */
export function assignToPool(town: Town, typed: string, beads: readonly string[]): PoolView {
  const decision = town.ledger.transact(town.actor, (view) => {
    const pool = getPool(view, typed)
    if (pool.status !== 'open') {
      throw new ConflictError(`${pool.shownId} is stopped: it gives out no more beads`, {
        code: 'pool-stopped',
        hint: `open another one: gt pool start ${pool.rig} --count ${pool.size}`,
      })
    }
    const added = beads.map((bead) => assignable(view, pool, bead))
    return { id: pool.id, ops: [{ o: 'add', id: pool.id, f: 'queue', x: added }] satisfies Op[] }
  })
  return showPool(town, decision.id)
}

function assignable(view: View, pool: Pool, typed: string): string {
  const bead = getBead(view, typed)
  if (bead.status !== 'open') {
    throw new ConflictError(
      `${bead.shownId} is ${bead.status}${bead.assignee === undefined ? '' : `, held by ${bead.assignee}`}`,
      {
        code: bead.assignee === undefined ? 'bead-not-open' : 'bead-taken',
        hint: `gt bead show ${bead.shownId}`,
        details: { bead: bead.id },
      },
    )
  }
  const other = view.referrers('pool', 'queue', bead.id).find((entity) => entity.id !== pool.id)
  if (other !== undefined) {
    throw new ConflictError(`${bead.shownId} waits in the pool ${other.shownId} already`, {
      code: 'bead-taken',
      hint: `gt pool show ${other.shownId}`,
    })
  }
  return bead.id
}

/** @param size - at least 1; agents above it finish their beads */
export function resizePool(town: Town, typed: string, size: number): PoolView {
  const decision = town.ledger.transact(town.actor, (view) => {
    const pool = getPool(view, typed)
    return { id: pool.id, ops: [{ o: 'set', id: pool.id, f: { size } }] satisfies Op[] }
  })
  return showPool(town, decision.id)
}

/** No bead is given out from now on. What waits stays open, and is free for others; agents at work finish. Repeatable. */
export function stopPool(town: Town, typed: string): PoolView {
  const decision = town.ledger.transact(town.actor, (view) => {
    const pool = getPool(view, typed)
    if (pool.status === 'stopped') return { id: pool.id }
    const ops: Op[] = [
      { o: 'move', id: pool.id, gen: pool.generation + 1, f: { status: 'stopped' } },
      { o: 'ev', type: 'pool.stopped', data: { pool: pool.id } },
    ]
    if (pool.queue.length > 0) ops.push({ o: 'del', id: pool.id, f: 'queue', x: [...pool.queue] })
    return { id: pool.id, ops }
  })
  return showPool(town, decision.id)
}

/** The one open pool of the town (of the rig), when none is named. @throws UsageError when there are several or none */
export function choosePool(view: View, typed: string | undefined): Pool {
  if (typed !== undefined) return getPool(view, typed)
  const open = view.list({ kind: 'pool', status: 'open' }).map(poolFrom)
  if (open.length === 1 && open[0]) return open[0]
  throw new UsageError(open.length === 0 ? 'there is no open pool' : 'which pool?', {
    code: 'no-pool',
    hint:
      open.length === 0
        ? 'open one: gt pool start RIG --count 4'
        : `say it: --pool ${open.map((pool) => pool.shownId).join(' | ')}`,
  })
}

export function showPool(town: Town, typed: string): PoolView {
  const view = town.ledger.read()
  return viewPool(town, view, getPool(view, typed))
}

/** Open ones, or all; in order of creation. */
export function listPools(town: Town, view: View, all: boolean): PoolView[] {
  const pools = view.list(all ? { kind: 'pool' } : { kind: 'pool', status: 'open' })
  return pools.map((entity) => viewPool(town, view, poolFrom(entity)))
}

function viewPool(town: Town, view: View, pool: Pool): PoolView {
  const role = pool.role ?? town.config.role
  const atWork = view
    .list({ kind: 'agent' })
    .map(agentFrom)
    .filter((agent) => agent.pool === pool.id && agent.hook !== undefined)
  return {
    id: pool.shownId,
    rig: pool.rig,
    status: pool.status,
    size: pool.size,
    role,
    runtime:
      pool.runtime ??
      town.config.roles[role]?.runtime ??
      town.config.rigs[pool.rig]?.runtime ??
      town.config.runtime,
    atWork: atWork.map((agent) => ({
      agent: agent.id,
      bead: view.get(agent.hook ?? '')?.shownId ?? '',
    })),
    waiting: pool.queue.flatMap((key) => {
      const entity = view.get(key)
      return entity?.kind === 'bead' && beadFrom(entity).status !== 'closed' ? [entity.shownId] : []
    }),
    ...(pool.problem === undefined ? {} : { problem: pool.problem }),
  }
}
