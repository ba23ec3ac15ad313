import { agentFrom } from '../domain/agent.js'
import { ConflictError } from '../domain/errors.js'
import type { Op } from '../domain/record.js'
import { clearAway } from './clear-away.js'
import { getAgent } from './find-entity.js'
import { checkHere, isHere } from './here.js'
import type { Town } from './town.js'

/**
 * Ends an agent that has no bead: its session, and the worktree it still has, saved first. Its history stays, and its name
 * is free for new work. Repeatable.
 * @throws ConflictError code `agent-busy` while it holds a bead
 */
export async function removeAgent(town: Town, typed: string): Promise<{ agent: string; salvage?: string }> {
  const agent = getAgent(town.ledger.read(), typed)
  if (agent.hook !== undefined) {
    throw new ConflictError(`${agent.id} holds ${agent.hook}`, {
      code: 'agent-busy',
      hint: `take the bead back first: gt unsling ${agent.hook}`,
      details: { agent: agent.id, bead: agent.hook },
    })
  }
  checkHere(town, agent)
  const cleared = isHere(town, agent.home) ? await clearAway(town, agent, 'agent removed', 'stopped') : {}
  town.ledger.transact(town.actor, (view) => {
    const entity = view.get(agent.id)
    const current = entity === undefined ? undefined : agentFrom(entity)
    if (current === undefined || current.hook !== undefined || current.worktree === undefined) return {}
    const fields = { worktree: null, branch: null, base: null, slinger: null }
    return {
      ops: [{ o: 'move', id: agent.id, gen: current.generation + 1, f: fields }] satisfies Op[],
    }
  })
  return { agent: agent.id, ...cleared }
}
