import type { Agent } from '../domain/agent.js'
import { ConflictError, NotFoundError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { ReportedState } from '../domain/session.js'
import type { Repositories } from '../ports/repositories.js'
import { getRig } from './find-entity.js'
import { keepScreen } from './start-session.js'
import type { Town } from './town.js'
import { closeAsksOps } from './track-asks.js'

/**
 * Ends an agent's session and takes its worktree and branch away, the tree salvaged first. Repeatable at every step.
 * @param state - what the session record says from now on
 * @returns the salvage ref, when there was something that is not safe elsewhere
 */
export async function clearAway(
  town: Town,
  agent: Agent,
  reason: string,
  state: ReportedState,
): Promise<{ salvage?: string }> {
  const rig = agent.rig === undefined ? undefined : getRig(town, agent.rig)
  if (rig?.source.kind === 'path' && agent.worktree !== undefined && !town.host.exists(rig.source.path)) {
    throw new NotFoundError(`the clone of rig ${rig.name} is gone: ${rig.source.path}; nothing was done`, {
      code: 'repository-not-found',
      hint: 'bring it back, or change its path in town.toml',
      details: { rig: rig.name },
    })
  }
  await endSession(town, agent, reason, state)
  if (agent.worktree === undefined || rig === undefined) return {}
  const repositories = await town.repositories()
  const saved = await removeTree(town, repositories, { rig, agent, path: agent.worktree, reason })
  if (agent.branch !== undefined) await dropBranch(repositories, rig, agent.branch)
  return saved
}

/** A worktree that is not there any more was removed by a run that was killed later on. */
async function removeTree(
  town: Town,
  repositories: Repositories,
  job: { rig: Rig; agent: Agent; path: string; reason: string },
): Promise<{ salvage?: string }> {
  const { rig, agent, path, reason } = job
  try {
    // What is on the target already needs no salvage; offline, the base is all that is known to be safe.
    const safeOn = await repositories.targetHead(rig, { offline: true }).catch(() => agent.base)
    const salvage = await repositories.salvage({
      rig,
      path,
      agent: agent.id,
      reason,
      at: new Date(town.clock.now()),
      ...(safeOn === undefined ? {} : { safeOn }),
    })
    town.step('clear.salvaged')
    await repositories.removeWorktree({ rig, path, salvage })
    town.step('clear.removed')
    return salvage.kind === 'saved' ? { salvage: salvage.ref } : {}
  } catch (error) {
    if (!(error instanceof NotFoundError) || error.code !== 'worktree-not-found') throw error
    if (!town.host.holdsFiles(path)) return {}
    throw new ConflictError(
      `git no longer knows the worktree ${path}, and files are in it: they are not deleted`,
      {
        code: 'not-salvaged',
        hint: `take what you need out of it and remove it, then run this again`,
        details: { path },
        cause: error,
      },
    )
  }
}

/** A branch that holds more than what was saved (the agent worked on another one, a person took it) stays. */
async function dropBranch(repositories: Repositories, rig: Rig, branch: string): Promise<void> {
  try {
    await repositories.deleteBranch(rig, branch)
  } catch (error) {
    const stays = ['branch-not-safe', 'branch-moved', 'branch-in-use']
    if (!(error instanceof ConflictError) || !stays.includes(error.code)) throw error
  }
}

/** Stops the session, keeps its last screen, and records the end. */
export async function endSession(
  town: Town,
  agent: Agent,
  reason: string,
  state: ReportedState,
): Promise<void> {
  const orchestrator = await town.orchestrator()
  const report = await orchestrator.stop(agent.id, { graceMs: 3_000 })
  keepScreen(town, agent, report.screen)
  town.step('clear.stopped')
  if (agent.session === undefined) return
  const session = agent.session
  const at = new Date(town.clock.now()).toISOString()
  town.ledger.transact(town.actor, (view) => ({
    ops: [
      { o: 'set', id: session, f: { state, state_at: at, reason, ended_at: at } },
      ...closeAsksOps(view, agent.id, at),
      { o: 'ev', type: 'session.ended', data: { agent: agent.id, session, reason, how: report.kind } },
    ],
  }))
}
