import { agentFrom } from '../domain/agent.js'
import { OperationError } from '../domain/errors.js'
import { resumePrompt } from '../domain/first-prompt.js'
import { findBead, findSession, getRig } from './find-entity.js'
import { isHere } from './here.js'
import { startSession } from './start-session.js'
import type { Town } from './town.js'

/**
 * Makes sure that an agent learns that something waits for it; the thing itself is in the store already, so nothing here
 * may fail the caller. Programs with hooks watch a bell file and fetch it when their turn ends; others get a nudge.
 * @param restart - whether a dead session is resumed for it
 */
export async function wakeAgent(
  town: Town,
  agentKey: string,
  what: string,
  log: (line: string) => void,
  options: { restart?: boolean } = {},
): Promise<void> {
  const view = town.ledger.read()
  const entity = view.get(agentKey)
  if (entity?.kind !== 'agent') return
  const agent = agentFrom(entity)
  // Its own machine wakes it, when the mail has come there.
  if (!isHere(town, agent.home)) return
  const runtime = town.config.runtimes[agent.runtime]
  const session = findSession(view, agent)
  town.host.ringBell(agent.id)
  if (!runtime || (runtime.hooks === 'plugin' && session?.heardAt !== undefined && options.restart !== true))
    return
  try {
    const orchestrator = await town.orchestrator()
    const live = await orchestrator.status(agent.id)
    if (live.kind === 'running') {
      if (runtime.hooks !== 'plugin') await orchestrator.send(agent.id, `${what}. Run \`gt mail check\`.`)
      return
    }
    // What a person stopped stays stopped; the mail waits.
    if (live.kind !== 'stopped' || options.restart !== true || session?.reported === 'stopped') return
    await resumeForWork(town, agentKey, `${live.why}`, log)
  } catch (error) {
    log(
      `${agent.id} could not be woken: ${error instanceof Error ? error.message : String(error)}; the mail is in its inbox`,
    )
  }
}

async function resumeForWork(
  town: Town,
  agentKey: string,
  why: string,
  log: (line: string) => void,
): Promise<void> {
  const view = town.ledger.read()
  const entity = view.get(agentKey)
  if (entity?.kind !== 'agent') return
  const agent = agentFrom(entity)
  const runtime = town.config.runtimes[agent.runtime]
  const role = town.config.roles[agent.role]
  const bead = findBead(view, agent.hook)
  if (!runtime || !role || agent.rig === undefined || agent.worktree === undefined || !bead) return
  const session = findSession(view, agent)
  const missing = session?.passed.filter((name) => town.env[name] === undefined) ?? []
  if (missing.length > 0) {
    throw new OperationError(`it was started with ${missing.join(', ')}, which is not known here`, {
      code: 'missing-variable',
      hint: `from your own shell: gt agent resume ${agent.id}`,
    })
  }
  const conversation = session?.conversation
  const canGoOn = conversation !== undefined && runtime.resumeArgs.length > 0
  await startSession(town, {
    agent,
    bead,
    runtime,
    role,
    rig: getRig(town, agent.rig),
    cwd: agent.worktree,
    mode: canGoOn ? 'resume' : 'new',
    ...(conversation === undefined || !canGoOn ? {} : { conversation }),
    prompt: resumePrompt(bead, why),
    ...(agent.model === undefined ? {} : { model: agent.model }),
  })
  log(`${agent.id}: started again (${canGoOn ? `conversation ${conversation}` : 'a new conversation'})`)
}
