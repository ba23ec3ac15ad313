import type { Agent } from '../domain/agent.js'
import { OperationError } from '../domain/errors.js'
import { createBead } from './create-bead.js'
import { findBead, findSession, getAgent, getBead, getRig } from './find-entity.js'
import { type Original, type SlingRequest, type Slung, slingWork } from './sling-work.js'
import type { Town } from './town.js'

export interface ForkRequest {
  /** The original, as typed. */
  agent: string
  /** Bead for the copy, as typed; left out: one is made. */
  bead?: string
  name?: string
  forkAt?: string
  args?: string
}

/**
 * A new agent that goes on from where another one stands: a copy of its conversation, of its commits, and of what it has not
 * committed. The original is not touched and not interrupted. The copy has a bead of its own, so that each lands for itself.
 *
 * @throws OperationError code `nothing-hooked` | `no-conversation` | `not-supported`, and all that slinging throws
 */
export async function forkAgent(town: Town, request: ForkRequest): Promise<Slung> {
  const view = town.ledger.read()
  const agent = getAgent(view, request.agent)
  if (agent.worktree === undefined || agent.rig === undefined) {
    throw new OperationError(`${agent.id} has no worktree that could be copied`, {
      code: 'nothing-hooked',
      hint: 'gt agents',
    })
  }
  const conversation = findSession(view, agent)?.conversation
  if (conversation === undefined) {
    throw new OperationError(`${agent.id} never told its conversation id, so it cannot be copied`, {
      code: 'no-conversation',
      hint: `give the work to a new agent: gt sling BEAD ${agent.rig}`,
    })
  }
  await checkTakesPrompt(town, agent)
  const known = request.bead === undefined ? undefined : getBead(view, request.bead).id
  const copyOf = await originalOf(town, agent, agent.worktree, conversation)
  const bead = known ?? beadFor(town, agent)
  const outcome = await slingWork(town, {
    beads: [bead],
    rig: getRig(town, agent.rig),
    role: agent.role,
    runtime: agent.runtime,
    backend: agent.backend,
    copyOf: { ...copyOf, ...(request.forkAt === undefined ? {} : { forkAt: request.forkAt }) },
    ...wishes(request, agent),
  })
  const [failure] = outcome.failed
  if (failure) {
    if (known === undefined) dropBead(town, bead)
    throw failure.error
  }
  const [slung] = outcome.slung
  if (slung === undefined) throw new Error('slung nothing, and said no reason')
  return slung
}

/** A copy must be told that it is one, or it takes itself for its original. */
async function checkTakesPrompt(town: Town, agent: Agent): Promise<void> {
  const runtime = town.config.runtimes[agent.runtime]
  if (runtime === undefined || runtime.hooks !== 'plugin') return
  const orchestrator = await town.orchestrator()
  if (orchestrator.takesPromptOnResume?.({ agent: agent.id, runtime, backend: agent.backend }) === true)
    return
  throw new OperationError(
    `${agent.id} runs in a terminal, where ${agent.runtime} takes no prompt for a copy`,
    {
      code: 'not-supported',
      hint: 'agents on a server can be copied: gt sling … --backend opencode',
      details: { backend: agent.backend, runtime: agent.runtime },
    },
  )
}

function wishes(request: ForkRequest, agent: Agent): Partial<SlingRequest> {
  return {
    ...(request.name === undefined ? {} : { name: request.name }),
    ...(request.args === undefined ? {} : { args: request.args }),
    ...(agent.model === undefined ? {} : { model: agent.model }),
  }
}

/** Its tree as it stands this moment; the salvage stays, as all do. */
async function originalOf(town: Town, agent: Agent, path: string, conversation: string): Promise<Original> {
  const rig = getRig(town, agent.rig ?? '')
  const repositories = await town.repositories()
  const { head } = await repositories.worktreeState(rig, path)
  const salvage = await repositories.salvage({
    rig,
    path,
    agent: agent.id,
    reason: 'copied',
    at: new Date(town.clock.now()),
    safeOn: head,
  })
  return {
    agent: agent.id,
    conversation,
    head,
    base: agent.base ?? head,
    ...(salvage.kind === 'saved' ? { tree: salvage.sha } : {}),
  }
}

/** Made for a copy that never came to be, and nobody's meanwhile. */
function dropBead(town: Town, bead: string): void {
  town.ledger.transact(town.actor, (view) => {
    const isUnused = findBead(view, bead)?.status === 'open'
    return isUnused ? { ops: [{ o: 'gone', id: bead }] } : {}
  })
}

function beadFor(town: Town, agent: Agent): string {
  const original = findBead(town.ledger.read(), agent.hook)
  const title = original === undefined ? `go on from ${agent.id}` : `another try at ${original.title}`
  const description =
    original === undefined
      ? `A copy of ${agent.id} works on this.`
      : `A copy of ${agent.id} works on this, beside ${original.shownId}.\n\n${original.description}`
  return createBead(town, {
    title: title.slice(0, 500),
    description,
    ...(agent.rig === undefined ? {} : { rig: agent.rig }),
  }).id
}
