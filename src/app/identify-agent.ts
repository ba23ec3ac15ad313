import { type Agent, agentFrom } from '../domain/agent.js'
import { UsageError } from '../domain/errors.js'
import { HUMAN } from '../domain/ids.js'
import type { View } from '../ports/ledger.js'
import { getAgent } from './find-entity.js'
import type { Town } from './town.js'

/**
 * Whose command this is: the agent named, else the agent whose session runs it.
 * @throws UsageError code `no-agent` outside a session without a name
 */
export function identifyAgent(town: Town, view: View, named?: string): Agent {
  if (named !== undefined) return getAgent(view, named)
  if (town.actor !== HUMAN) {
    const entity = view.get(town.actor)
    if (entity?.kind === 'agent') return agentFrom(entity)
  }
  throw new UsageError('this command is for agents: there is no GT_AGENT here, and no agent was named', {
    code: 'no-agent',
    hint: 'name one: --as proj/toast (gt agents lists them)',
  })
}
