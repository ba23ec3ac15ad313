import type { AgentId } from '../../domain/ids.js'
import type { Receipt } from '../../ports/orchestrator.js'

/** At once, and each costs some processes of tmux. */
const WIDTH = 8

/** `send` to each, in parallel; a failure is that agent's outcome. In the order of `agents`. */
export async function broadcast(
  agents: readonly AgentId[],
  send: (agent: AgentId) => Promise<Receipt>,
): Promise<Map<AgentId, Receipt | Error>> {
  const outcomes = new Map<AgentId, Receipt | Error>()
  const queue = [...new Set(agents)]
  const worker = async () => {
    for (let agent = queue.shift(); agent !== undefined; agent = queue.shift()) {
      outcomes.set(agent, await send(agent).catch(asError))
    }
  }
  await Promise.all(Array.from({ length: Math.min(WIDTH, queue.length) }, worker))
  return new Map(
    [...new Set(agents)].flatMap((agent) => {
      const outcome = outcomes.get(agent)
      return outcome === undefined ? [] : [[agent, outcome]]
    }),
  )
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
