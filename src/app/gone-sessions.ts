import type { AgentId } from '../domain/ids.js'
import type { Town } from './town.js'

/** Those of the agents whose session is proven to be gone. One that could not be asked about is not among them. */
export async function gone(town: Town, agents: ReadonlySet<string>): Promise<Set<string>> {
  if (agents.size === 0) return new Set()
  const dead = new Set<string>()
  try {
    const orchestrator = await town.orchestrator()
    for (const agent of agents) {
      if ((await orchestrator.status(agent as AgentId)).kind === 'stopped') dead.add(agent)
    }
  } catch {
    // The backend is silent: nothing is known of anybody.
  }
  return dead
}
