import type { Agent } from '../domain/agent.js'
import { chooseBackend, type Fallback } from '../domain/choose-backend.js'
import type { BackendName } from '../domain/config.js'
import { ConflictError, OperationError } from '../domain/errors.js'
import { firstPrompt, resumePrompt } from '../domain/first-prompt.js'
import { checkProgram, pick } from './choose-runtime.js'
import { endSession } from './clear-away.js'
import { findBead, findSession, getAgent, getRig } from './find-entity.js'
import { checkHere } from './here.js'
import { startSession } from './start-session.js'
import type { Town } from './town.js'

/** Ends an agent's session. Its bead, worktree and commits stay: `resume` goes on. Stopping what is stopped is fine. */
export async function stopAgent(town: Town, typed: string): Promise<{ agent: string; wasRunning: boolean }> {
  const agent = getAgent(town.ledger.read(), typed)
  checkHere(town, agent)
  const orchestrator = await town.orchestrator()
  const live = await orchestrator.status(agent.id)
  if (live.kind === 'unknown') {
    throw new OperationError(`cannot tell whether ${agent.id} runs: ${live.why}`, {
      code: 'unknown-liveness',
      hint: 'try again',
    })
  }
  await endSession(town, agent, 'stopped by a person', 'stopped')
  return { agent: agent.id, wasRunning: live.kind === 'running' }
}

/** Interrupts the running turn; the session lives on. */
export async function abortAgent(town: Town, typed: string): Promise<{ agent: string }> {
  const agent = getAgent(town.ledger.read(), typed)
  checkHere(town, agent)
  await (await town.orchestrator()).abort(agent.id)
  return { agent: agent.id }
}

export interface Resumed {
  agent: string
  mode: 'resume' | 'new'
  location: string
  /** Another backend than the wanted one had to take it. */
  fallback?: Fallback
}

/**
 * Starts an agent's session again on its own bead and worktree.
 * @param mode - `resume` continues the conversation where the runtime can and it is known; `new` begins a fresh one
 * @param wanted - another backend than the one that it had; a conversation can only be continued where it is
 * @throws ConflictError code `already-running`; OperationError code `nothing-hooked`
 */
export async function restartAgent(
  town: Town,
  typed: string,
  mode: 'resume' | 'new',
  wanted?: BackendName,
): Promise<Resumed> {
  const view = town.ledger.read()
  const agent = getAgent(view, typed)
  checkHere(town, agent)
  const bead = findBead(view, agent.hook)
  const { worktree, runtime, role, rig } = requireWork(town, agent)
  checkProgram(town, runtime)
  const orchestrator = await town.orchestrator()
  const live = await orchestrator.status(agent.id)
  if (live.kind === 'running') {
    throw new ConflictError(`${agent.id} runs already${live.pid === undefined ? '' : ` (pid ${live.pid})`}`, {
      code: 'already-running',
      hint: `gt attach ${agent.id}`,
    })
  }
  if (live.kind === 'unknown') {
    throw new OperationError(`cannot tell whether ${agent.id} runs: ${live.why}`, {
      code: 'unknown-liveness',
      hint: 'try again',
    })
  }
  const backend =
    wanted === undefined ? agent.backend : chooseBackend({ wanted, town: town.config.backend, runtime })
  await orchestrator.check?.({ runtime, backend })
  const conversation = backend === agent.backend ? findSession(view, agent)?.conversation : undefined
  const continues = mode === 'resume' && conversation !== undefined && runtime.resumeArgs.length > 0
  const observed = await startSession(
    town,
    {
      agent,
      runtime,
      role,
      rig,
      ...(bead === undefined ? {} : { bead }),
      cwd: worktree,
      backend,
      mode: continues ? 'resume' : 'new',
      ...(continues ? { conversation } : {}),
      prompt: mode === 'resume' ? resumePrompt(bead, live.why) : firstPrompt(runtime, bead, undefined),
      ...(agent.model === undefined ? {} : { model: agent.model }),
    },
    () => [{ o: 'set', id: agent.id, f: { slinger: null } }],
  )
  const { location, fallback } = observed
  const restarted = { agent: agent.id, mode: continues ? ('resume' as const) : ('new' as const), location }
  return fallback === undefined ? restarted : { ...restarted, fallback }
}

function requireWork(town: Town, agent: Agent) {
  if (agent.worktree === undefined || agent.rig === undefined) {
    throw new OperationError(`${agent.id} has no worktree to go on in`, {
      code: 'nothing-hooked',
      hint: 'give it work: gt sling BEAD RIG',
    })
  }
  return {
    worktree: agent.worktree,
    rig: getRig(town, agent.rig),
    runtime: pick(town.config.runtimes, agent.runtime, 'runtime'),
    role: pick(town.config.roles, agent.role, 'role'),
  }
}
