import { agentFrom } from '../domain/agent.js'
import { beadFrom, byUrgency } from '../domain/bead.js'
import { GtError } from '../domain/errors.js'
import { HUMAN } from '../domain/ids.js'
import { type Pool, type PoolMember, type PoolStep, planPool, poolFrom } from '../domain/pool.js'
import type { Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import type { ObservedSession } from '../ports/orchestrator.js'
import { restartAgent } from './control-agent.js'
import { findBead, findSession, getRig } from './find-entity.js'
import { isHere } from './here.js'
import { isReady, openBlockers } from './list-beads.js'
import { mailOps } from './send-mail.js'
import { slingWork } from './sling-work.js'
import type { Town } from './town.js'
import { unslingWork } from './unsling-work.js'

export interface PoolRun {
  given: { bead: string; agent: string }[]
  revived: string[]
  takenBack: string[]
  /** What could not be done, for people. */
  problems: string[]
  /** Another process works on the pools. */
  busyBy?: string
}

const LOCK_WAIT_MS = 5_000
/** A town that waits for something else is asked again by the next command, not by us. */
const MAX_ROUNDS = 100

/**
 * Gives waiting beads to free places, starts agents again that died, and takes beads back from those that keep dying,
 * until nothing is left to do. One runner per town. What a person stopped stays stopped.
 */
export async function runPools(town: Town, log: (line: string) => void): Promise<PoolRun> {
  const run: PoolRun = { given: [], revived: [], takenBack: [], problems: [] }
  const locked = await town.host.withLock('pools', LOCK_WAIT_MS, async () => {
    const failed = new Set<string>()
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const steps = (await planPools(town)).filter(({ step }) => !failed.has(keyOf(step)))
      const [next] = steps
      if (next === undefined) return
      if (!(await perform(town, next, run, log))) failed.add(keyOf(next.step))
    }
  })
  return locked.kind === 'busy' ? { ...run, busyBy: locked.by } : run
}

function keyOf(step: PoolStep): string {
  return step.kind === 'give' ? `give ${step.bead}` : `${step.kind} ${step.agent}`
}

interface PlannedStep {
  pool: Pool
  step: PoolStep
}

/** @throws ExternalError when the sessions could not be asked: then nothing is known, and nothing is done */
async function planPools(town: Town): Promise<PlannedStep[]> {
  const view = town.ledger.read()
  const pools = view.list({ kind: 'pool', status: 'open' }).map(poolFrom)
  if (pools.length === 0) return []
  const agents = view.list({ kind: 'agent' }).map(agentFrom)
  const hasMembers = agents.some((agent) => agent.pool !== undefined && agent.hook !== undefined)
  const sessions = hasMembers ? await observe(town) : new Map<string, ObservedSession>()
  return pools.flatMap((pool) => {
    const members = agents.flatMap((agent): PoolMember[] => {
      if (agent.pool !== pool.id || agent.hook === undefined) return []
      const session = findSession(view, agent)
      return [
        {
          agent: agent.id,
          bead: agent.hook,
          isHandedIn: findBead(view, agent.hook)?.status !== 'hooked',
          liveness: isHere(town, agent.home)
            ? (sessions.get(agent.id)?.liveness.kind ?? 'stopped')
            : 'unknown',
          isStoppedByPerson: session?.reported === 'stopped',
          isBeingSlung: agent.slinger !== undefined,
          revivals: agent.revivals,
        },
      ]
    })
    return planPool(pool, members, readyIn(view, pool, town.clock.now())).map((step) => ({ pool, step }))
  })
}

async function observe(town: Town): Promise<Map<string, ObservedSession>> {
  const sessions = await (await town.orchestrator()).list()
  return new Map(sessions.map((session) => [session.agent as string, session]))
}

function readyIn(view: View, pool: Pool, nowMs: number): string[] {
  return pool.queue
    .flatMap((key) => {
      const bead = findBead(view, key)
      if (bead === undefined) return []
      const listed = Object.assign(bead, { openBlockers: openBlockers(view, bead) })
      return isReady(listed, nowMs) ? [listed] : []
    })
    .sort(byUrgency)
    .map((bead) => bead.id)
}

/** @returns whether it worked; a step that failed is not tried again in this run */
async function perform(
  town: Town,
  { pool, step }: PlannedStep,
  run: PoolRun,
  log: (line: string) => void,
): Promise<boolean> {
  try {
    if (step.kind === 'give') {
      const agent = await give(town, pool, step.bead)
      run.given.push({ bead: step.bead, agent })
      log(`${pool.shownId}: ${step.bead} → ${agent}`)
    } else if (step.kind === 'revive') {
      await revive(town, step.agent)
      run.revived.push(step.agent)
      log(`${pool.shownId}: ${step.agent} had died and runs again`)
    } else {
      await takeBack(town, pool, step)
      run.takenBack.push(step.bead)
      log(`${pool.shownId}: ${step.agent} died too often; ${step.bead} is open again`)
    }
    if (pool.problem !== undefined) noteProblem(town, pool, null)
    return true
  } catch (error) {
    const why = error instanceof GtError ? error.message : String(error)
    run.problems.push(why)
    log(`${pool.shownId}: ${keyOf(step)}: ${why}`)
    if (pool.problem !== why) noteProblem(town, pool, why)
    return false
  }
}

async function give(town: Town, pool: Pool, bead: string): Promise<string> {
  const { role, runtime, backend, model } = pool
  const outcome = await slingWork(town, {
    beads: [bead],
    rig: getRig(town, pool.rig),
    pool: pool.id,
    ...(role === undefined ? {} : { role }),
    ...(runtime === undefined ? {} : { runtime }),
    ...(backend === undefined ? {} : { backend }),
    ...(model === undefined ? {} : { model }),
  })
  const [failure] = outcome.failed
  if (failure) throw failure.error
  return outcome.slung[0]?.agent ?? ''
}

/** Counted first: a start that kills this very process must not be tried for ever. */
async function revive(town: Town, agent: string): Promise<void> {
  town.ledger.transact(town.actor, (view) => {
    const entity = view.get(agent)
    if (entity?.kind !== 'agent') return {}
    return {
      ops: [{ o: 'set', id: agent, f: { revivals: agentFrom(entity).revivals + 1 } }] satisfies Op[],
    }
  })
  await restartAgent(town, agent, 'resume')
}

/** Back into the queue would mean the same end; a person decides, and is told once. */
async function takeBack(town: Town, pool: Pool, step: { agent: string; bead: string }): Promise<void> {
  const { salvage } = await unslingWork(town, step.bead)
  town.ledger.transact(town.actor, (view) => {
    const entity = view.get(step.bead)
    const shown = entity === undefined ? step.bead : beadFrom(entity).shownId
    const kept = salvage === undefined ? 'Its tree held nothing new.' : `Its tree is saved in ${salvage}.`
    return {
      ops: [
        { o: 'ev', type: 'pool.took-back', data: { pool: pool.id, bead: step.bead, agent: step.agent } },
        ...mailOps(town, view, {
          from: 'gt',
          to: HUMAN,
          subject: `${shown} is open again: its agent kept dying`,
          body: `${step.agent} died on ${shown} again after ${pool.shownId} had started it twice more. ${kept}\nLook: gt agent show ${step.agent}\nTry again: gt pool assign ${shown} --pool ${pool.shownId}`,
        }).ops,
      ] satisfies Op[],
    }
  })
}

function noteProblem(town: Town, pool: Pool, problem: string | null): void {
  town.ledger.transact(town.actor, () => ({
    ops: [{ o: 'set', id: pool.id, f: { problem } }] satisfies Op[],
  }))
}

/**
 * Starts a runner in the background when a pool has something to do. Cheap when no pool is open.
 * @param isEvent - something happened that only this call will be told of; else one start per period is enough
 * @returns whether one was started
 */
export async function kickPools(town: Town, isEvent = false): Promise<boolean> {
  if (town.ledger.read().count({ kind: 'pool', status: 'open' }) === 0) return false
  try {
    if ((await planPools(town)).length === 0) return false
    if (!isEvent && !town.host.isDue('pool-run', KICK_PERIOD_MS)) return false
  } catch {
    // Sessions that could not be asked: nothing is known, so nothing is begun.
    return false
  }
  await town.host.startInBackground(['pool', 'run'], 'pool')
  return true
}

const KICK_PERIOD_MS = 3_000
