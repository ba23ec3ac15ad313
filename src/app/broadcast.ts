import { agentFrom } from '../domain/agent.js'
import { type GtError, NotFoundError } from '../domain/errors.js'
import type { Receipt } from '../ports/orchestrator.js'
import { nudgeAgent } from './nudge-agent.js'
import { asGtError } from './roll-back.js'
import type { Town } from './town.js'

export interface BroadcastOutcome {
  told: { agent: string; receipt: Receipt }[]
  failed: { agent: string; error: GtError }[]
}

/** More at a time gains nothing: each waits for its own program. */
const PARALLEL = 4

/**
 * Nudges every agent that runs, each with its own receipt; one failure does not keep the others from theirs.
 * @throws NotFoundError code `nobody-runs`; ExternalError when the sessions cannot be asked
 */
export async function broadcast(
  town: Town,
  text: string,
  filter: { rig?: string; role?: string },
): Promise<BroadcastOutcome> {
  const live = new Set(
    (await (await town.orchestrator()).list())
      .filter((session) => session.liveness.kind === 'running')
      .map((session) => session.agent as string),
  )
  const pending = town.ledger
    .read()
    .list({ kind: 'agent' })
    .map(agentFrom)
    .filter((agent) => live.has(agent.id) && agent.id !== town.actor)
    .filter((agent) => filter.rig === undefined || agent.rig === filter.rig)
    .filter((agent) => filter.role === undefined || agent.role === filter.role)
    .map((agent) => agent.id)
  if (pending.length === 0) {
    throw new NotFoundError('nobody runs who could hear it', { code: 'nobody-runs', hint: 'gt agents' })
  }
  const outcome: BroadcastOutcome = { told: [], failed: [] }
  const worker = async () => {
    for (let agent = pending.shift(); agent !== undefined; agent = pending.shift()) {
      try {
        outcome.told.push(await nudgeAgent(town, agent, text))
      } catch (error) {
        outcome.failed.push({ agent, error: asGtError(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return outcome
}
