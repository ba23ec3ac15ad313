import { type Agent, agentFrom } from '../domain/agent.js'
import type { Bead } from '../domain/bead.js'
import { chooseBackend, type Fallback } from '../domain/choose-backend.js'
import type { BackendName } from '../domain/config.js'
import type { GtError } from '../domain/errors.js'
import { firstPrompt, forkPrompt } from '../domain/first-prompt.js'
import { type AgentId, agentId, branchName } from '../domain/ids.js'
import type { Rig } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import { checkProgram, pick } from './choose-runtime.js'
import { type Crew, checkSlingable, chooseAgent, claimBead, releaseClaim } from './claim-bead.js'
import { findBead, getBead } from './find-entity.js'
import { removeAgent } from './remove-agent.js'
import { asGtError, rollBack, type UndoStep } from './roll-back.js'
import { startSession } from './start-session.js'
import type { Town } from './town.js'
import { writeContext } from './write-context.js'

export interface SlingRequest {
  /** Beads, as typed. */
  beads: readonly string[]
  rig: Rig
  runtime?: string
  /** `hybrid`: by the runtime. */
  backend?: BackendName
  role?: string
  /** Name of the agent; only with one bead. */
  name?: string
  model?: string
  /** Said to the agent after its first prompt. */
  args?: string
  /** Branch to start from instead of the target branch. */
  base?: string
  /** Key of the pool it works for. */
  pool?: string
  /** The new agent is a copy of another: its conversation, its commits and its files. */
  copyOf?: Original
}

/** What a copy starts from. */
export interface Original {
  agent: AgentId
  /** The runtime's own conversation id. */
  conversation: string
  /** Message before which the copy begins; left out: at the end. */
  forkAt?: string
  /** Where its worktree stands. */
  head: Sha
  /** Commit its branch started from. */
  base: Sha
  /** Salvage of its tree; left out: nothing was uncommitted. */
  tree?: Sha
}

export interface Slung {
  bead: string
  agent: AgentId
  branch: string
  worktree: string
  location: string
  /** An interrupted sling of the same bead was finished. */
  resumed: boolean
  /** Another backend than the wanted one had to take it. */
  fallback?: Fallback
}

export interface SlingPlan {
  bead: Bead
  agent: AgentId
  branch: string
  worktree: string
  base: string
}

export interface SlingOutcome {
  slung: Slung[]
  failed: { bead: string; error: GtError }[]
}

/** More at a time gains nothing on small machines and loads the disk. */
const PARALLEL = 2

/**
 * Hands beads to new agents: claim, worktree and branch, context, session. Each bead is its own transaction: on a failure
 * its steps are undone in reverse, the tree salvaged first, and the error says what was undone.
 *
 * @throws NotFoundError, ConflictError (code `bead-taken`, `bead-blocked`, `agent-busy`), ExternalError (`missing-binary`),
 *   OperationError (`no-commits`, `too-many-agents`) before anything is done, for what can be known before
 */
export async function slingWork(town: Town, request: SlingRequest): Promise<SlingOutcome> {
  const crew = await prepare(town, request)
  await freeNamedAgent(town, request)
  const outcome: SlingOutcome = { slung: [], failed: [] }
  const pending = [...new Set(request.beads.map((typed) => getBead(town.ledger.read(), typed).id))]
  const worker = async () => {
    for (let bead = pending.shift(); bead !== undefined; bead = pending.shift()) {
      try {
        outcome.slung.push(await slingOne(town, crew, bead, request))
      } catch (error) {
        outcome.failed.push({ bead, error: asGtError(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  return outcome
}

/** A long-lived agent keeps the worktree of its last bead; new work for it begins on a fresh one, the old tree saved. */
async function freeNamedAgent(town: Town, { rig, name }: SlingRequest): Promise<void> {
  const entity = name === undefined ? undefined : town.ledger.read().get(agentId(rig.name, name))
  if (entity?.kind !== 'agent') return
  const agent = agentFrom(entity)
  const isLongLived = town.config.roles[agent.role]?.ends === 'never'
  if (isLongLived && agent.hook === undefined && agent.worktree !== undefined)
    await removeAgent(town, agent.id)
}

/** Everything that can be refused without a bead. */
export async function checkSling(town: Town, request: Omit<SlingRequest, 'beads'>): Promise<void> {
  await prepare(town, request)
}

/** What `sling` would do, without doing it. */
export async function planSling(town: Town, request: SlingRequest): Promise<SlingPlan[]> {
  const crew = await prepare(town, request)
  const view = town.ledger.read()
  const taken = new Set<string>()
  return request.beads.map((typed) => {
    const bead = getBead(view, typed)
    checkSlingable(view, bead)
    const id = chooseAgent(view, crew.rig, request.name, taken)
    taken.add(id)
    const name = id.slice(id.indexOf('/') + 1)
    return {
      bead,
      agent: id,
      branch: branchName(id, bead.shownId),
      worktree: town.places.worktree(crew.rig.name, name),
      base: crew.base,
    }
  })
}

/** What can be known before anything is done. */
async function prepare(town: Town, request: Omit<SlingRequest, 'beads'>): Promise<Crew> {
  const role = pick(town.config.roles, request.role ?? town.config.role, 'role')
  const runtimeName = request.runtime ?? role.runtime ?? request.rig.runtime ?? town.config.runtime
  const runtime = pick(town.config.runtimes, runtimeName, 'runtime')
  checkProgram(town, runtime)
  const backend = chooseBackend({
    wanted: request.backend,
    role: role.backend,
    rig: request.rig.backend,
    town: town.config.backend,
    runtime,
  })
  // Asked now, so that a missing tmux or an unsupported backend is said before anything is claimed.
  await (await town.orchestrator()).check?.({ runtime, backend })
  const repositories = await town.repositories()
  const base = await repositories.targetHead(
    request.base === undefined ? request.rig : { ...request.rig, branch: request.base },
  )
  return { rig: request.rig, role, runtime, backend, base: request.copyOf?.base ?? base }
}

async function slingOne(town: Town, crew: Crew, beadKey: string, request: SlingRequest): Promise<Slung> {
  const generation = await leaseFor(town, beadKey)
  const { agent, bead, resumed } = claimBead(town, crew, beadKey, {
    ...request,
    ...(generation === undefined ? {} : { generation }),
  })
  const undo: UndoStep[] = []
  const repositories = await town.repositories()
  const worktree = agent.worktree ?? ''
  const branch = agent.branch ?? ''
  try {
    undo.push({ what: 'the claim', run: async () => releaseClaim(town, agent) })
    town.step('sling.claimed')
    undo.push({ what: 'the worktree', run: () => undoWorktree(town, crew.rig, agent) })
    const { copyOf } = request
    const start = copyOf?.head ?? agent.base ?? crew.base
    await repositories.addWorktree({ rig: crew.rig, path: worktree, branch, base: start })
    town.step('sling.worktree')
    if (copyOf?.tree !== undefined)
      await repositories.restoreTree({ rig: crew.rig, path: worktree, from: copyOf.tree })
    await writeContext(town, crew.rig, agent, crew.runtime)
    town.step('sling.context')
    const orchestrator = await town.orchestrator()
    const running = resumed ? await orchestrator.status(agent.id) : undefined
    let location: string
    let fallback: Fallback | undefined
    if (running?.kind === 'running') {
      location = (await orchestrator.get(agent.id)).location
      town.ledger.transact(town.actor, () => ({ ops: [{ o: 'set', id: agent.id, f: { slinger: null } }] }))
    } else {
      undo.push({
        what: 'the session',
        run: async () => (await orchestrator.stop(agent.id, { graceMs: 2_000 })).kind === 'stopped',
      })
      const observed = await startSession(
        town,
        {
          agent,
          bead,
          role: crew.role,
          runtime: crew.runtime,
          rig: crew.rig,
          cwd: worktree,
          ...(copyOf === undefined
            ? { mode: 'new', prompt: firstPrompt(crew.runtime, bead, request.args) }
            : {
                mode: 'fork',
                conversation: copyOf.conversation,
                prompt: forkPrompt(copyOf.agent, bead, request.args),
              }),
          ...(copyOf?.forkAt === undefined ? {} : { forkAt: copyOf.forkAt }),
          ...(agent.model === undefined ? {} : { model: agent.model }),
        },
        () => [{ o: 'set', id: agent.id, f: { slinger: null } }],
      )
      location = observed.location
      fallback = observed.fallback
    }
    const slung = { bead: bead.shownId, agent: agent.id, branch, worktree, location, resumed }
    return fallback === undefined ? slung : { ...slung, fallback }
  } catch (error) {
    // An agent that was quick has handed in already: its work is not undone because we were still looking at its screen.
    if (hasMovedOn(town, agent)) {
      town.ledger.transact(town.actor, () => ({ ops: [{ o: 'set', id: agent.id, f: { slinger: null } }] }))
      return { bead: bead.shownId, agent: agent.id, branch, worktree, location: 'handed in already', resumed }
    }
    throw await rollBack(error, undo)
  }
}

/** Only beads that are marked need the network, and the code for it. */
async function leaseFor(town: Town, beadKey: string): Promise<number | undefined> {
  if (!getBead(town.ledger.read(), beadKey).strict) return undefined
  const { holdLease } = await import('./hold-lease.js')
  return holdLease(town, beadKey)
}

function hasMovedOn(town: Town, agent: Agent): boolean {
  const bead = findBead(town.ledger.read(), agent.hook)
  return bead?.assignee === agent.id && (bead.status === 'in_review' || bead.status === 'closed')
}

async function undoWorktree(town: Town, rig: Rig, agent: Agent): Promise<void> {
  if (agent.worktree === undefined || agent.branch === undefined || agent.base === undefined) return
  const repositories = await town.repositories()
  const salvage = await repositories.salvage({
    rig,
    path: agent.worktree,
    agent: agent.id,
    reason: 'sling failed',
    at: new Date(town.clock.now()),
    safeOn: agent.base,
  })
  await repositories.removeWorktree({ rig, path: agent.worktree, salvage })
  if (salvage.kind === 'nothing') await repositories.deleteBranch(rig, agent.branch, agent.base)
}
