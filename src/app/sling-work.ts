import { type Agent, agentFrom, nextAgentName } from '../domain/agent.js'
import { type Bead, beadFrom } from '../domain/bead.js'
import type { Role } from '../domain/config.js'
import {
  ConflictError,
  ExternalError,
  GtError,
  NotFoundError,
  OperationError,
  RolledBackError,
} from '../domain/errors.js'
import { firstPrompt } from '../domain/first-prompt.js'
import { type AgentId, agentId, branchName, nearest, printable } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import type { Rig } from '../domain/rig.js'
import type { Runtime } from '../domain/runtime.js'
import type { View } from '../ports/ledger.js'
import { statusMove } from './change-bead.js'
import { getBead } from './find-entity.js'
import { openBlockers } from './list-beads.js'
import { releaseOps } from './release-agent.js'
import { startSession } from './start-session.js'
import type { Town } from './town.js'
import { writeContext } from './write-context.js'

export interface SlingRequest {
  /** Beads, as typed. */
  beads: readonly string[]
  rig: Rig
  runtime?: string
  role?: string
  /** Name of the agent; only with one bead. */
  name?: string
  model?: string
  /** Said to the agent after its first prompt. */
  args?: string
  /** Branch, tag or commit to start from instead of the target branch. */
  base?: string
}

export interface Slung {
  bead: string
  agent: AgentId
  branch: string
  worktree: string
  location: string
  /** An interrupted sling of the same bead was finished. */
  resumed: boolean
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

interface Crew {
  rig: Rig
  role: Role
  runtime: Runtime
  base: string
}

/**
 * Hands beads to new agents: claim, worktree and branch, context, session. Each bead is its own transaction: on a failure
 * its steps are undone in reverse, the tree salvaged first, and the error says what was undone.
 *
 * @throws NotFoundError, ConflictError (code `bead-taken`, `bead-blocked`, `agent-busy`), ExternalError (`missing-binary`),
 *   OperationError (`no-commits`, `too-many-agents`) before anything is done, for what can be known before
 */
export async function slingWork(town: Town, request: SlingRequest): Promise<SlingOutcome> {
  const crew = await prepare(town, request)
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

async function prepare(town: Town, request: SlingRequest): Promise<Crew> {
  const role = pick(town.config.roles, request.role ?? town.config.role, 'role')
  const runtimeName = request.runtime ?? role.runtime ?? request.rig.runtime ?? town.config.runtime
  const runtime = pick(town.config.runtimes, runtimeName, 'runtime')
  checkProgram(town, runtime)
  // Made now, so that a missing tmux or an unsupported backend is said before anything is claimed.
  await town.orchestrator()
  const repositories = await town.repositories()
  const base = await repositories.targetHead(
    request.base === undefined ? request.rig : { ...request.rig, branch: request.base },
  )
  return { rig: request.rig, role, runtime, base }
}

export function pick<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value !== undefined) return value
  const near = nearest(name, Object.keys(table))
  throw new NotFoundError(`there is no ${what} "${printable(name)}"`, {
    code: `${what}-not-found`,
    hint: near === undefined ? `known: ${Object.keys(table).join(', ')}` : `did you mean ${near}?`,
  })
}

export function checkProgram(town: Town, runtime: Runtime): void {
  const program = runtime.command[0]
  if (program === undefined) {
    throw new OperationError(`runtime ${runtime.name} has no command`, {
      code: 'no-command',
      hint: `give it one in town.toml: [runtimes.${runtime.name}] command = ["program", "argument"]`,
    })
  }
  if (town.host.findProgram(program, town.env.PATH ?? '')) return
  throw new ExternalError(`${program} is not installed, or not on PATH`, {
    code: 'missing-binary',
    hint:
      program === 'opencode'
        ? 'npm install -g opencode-ai, or choose another runtime with --agent'
        : 'install it, or choose another runtime with --agent',
    details: { program, runtime: runtime.name },
  })
}

async function slingOne(town: Town, crew: Crew, beadKey: string, request: SlingRequest): Promise<Slung> {
  const { agent, bead, resumed } = claim(town, crew, beadKey, request)
  const undo: { what: string; run: () => Promise<void> }[] = []
  const repositories = await town.repositories()
  const worktree = agent.worktree ?? ''
  const branch = agent.branch ?? ''
  try {
    undo.push({ what: 'the claim', run: async () => releaseClaim(town, agent) })
    town.step('sling.claimed')
    undo.push({ what: 'the worktree', run: () => undoWorktree(town, crew.rig, agent) })
    await repositories.addWorktree({ rig: crew.rig, path: worktree, branch, base: agent.base ?? crew.base })
    town.step('sling.worktree')
    await writeContext(town, crew.rig, agent, crew.runtime)
    town.step('sling.context')
    const orchestrator = await town.orchestrator()
    const running = resumed ? await orchestrator.status(agent.id) : undefined
    let location: string
    if (running?.kind === 'running') {
      location = (await orchestrator.get(agent.id)).location
      town.ledger.transact(town.actor, () => ({ ops: [{ o: 'set', id: agent.id, f: { slinger: null } }] }))
    } else {
      undo.push({
        what: 'the session',
        run: async () => {
          await orchestrator.stop(agent.id, { graceMs: 2_000 })
        },
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
          mode: 'new',
          prompt: firstPrompt(crew.runtime, bead, request.args),
          ...(request.model === undefined ? {} : { model: request.model }),
        },
        () => [{ o: 'set', id: agent.id, f: { slinger: null } }],
      )
      location = observed.location
    }
    return { bead: bead.shownId, agent: agent.id, branch, worktree, location, resumed }
  } catch (error) {
    throw await rollBack(error, undo)
  }
}

/** Claims the bead and binds the agent to it in one record: exactly one of many slings gets it. */
function claim(
  town: Town,
  crew: Crew,
  beadKey: string,
  request: SlingRequest,
): { agent: Agent; bead: Bead; resumed: boolean } {
  const decision = town.ledger.transact(town.actor, (view) => {
    const bead = getBead(view, beadKey)
    const interrupted = findInterrupted(town, view, bead)
    if (interrupted) {
      return {
        agent: interrupted.id,
        resumed: true,
        ops: [
          {
            o: 'move',
            id: interrupted.id,
            gen: interrupted.generation + 1,
            f: { slinger: town.host.processToken },
          },
        ] satisfies Op[],
      }
    }
    checkSlingable(view, bead)
    checkLimit(town, view)
    const id = chooseAgent(view, crew.rig, request.name, new Set())
    return { agent: id, resumed: false, ops: claimOps(town, view, crew, bead, id, request) }
  })
  const view = town.ledger.read()
  const entity = view.get(decision.agent)
  if (!entity) throw new Error(`agent ${decision.agent} was written but cannot be read`)
  return { agent: agentFrom(entity), bead: getBead(view, beadKey), resumed: decision.resumed }
}

function claimOps(town: Town, view: View, crew: Crew, bead: Bead, id: AgentId, request: SlingRequest): Op[] {
  const existing = view.get(id)
  const fields = {
    role: crew.role.name,
    runtime: crew.runtime.name,
    backend: town.config.backend,
    rig: crew.rig.name,
    hook: bead.id,
    worktree: town.places.worktree(crew.rig.name, id.slice(id.indexOf('/') + 1)),
    branch: branchName(id, bead.shownId),
    base: crew.base,
    session: null,
    handoff: null,
    model: request.model ?? null,
    slinger: town.host.processToken,
  }
  return [
    existing
      ? { o: 'move', id, gen: existing.generation + 1, f: fields }
      : {
          o: 'new',
          id,
          k: 'agent',
          f: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
        },
    statusMove(bead, 'hooked', { assignee: id, rig: crew.rig.name }),
    { o: 'ev', type: 'bead.slung', data: { bead: bead.id, agent: id, rig: crew.rig.name } },
  ]
}

/** A sling of this very bead whose process is gone: it is finished instead of refused. */
function findInterrupted(town: Town, view: View, bead: Bead): Agent | undefined {
  if (bead.status !== 'hooked' || bead.assignee === undefined) return undefined
  const entity = view.get(bead.assignee)
  if (entity?.kind !== 'agent') return undefined
  const agent = agentFrom(entity)
  if (agent.hook !== bead.id || agent.slinger === undefined) return undefined
  return town.host.isProcessAlive(agent.slinger) === false ? agent : undefined
}

function checkSlingable(view: View, bead: Bead): void {
  if (bead.status === 'hooked' || bead.status === 'in_review') {
    const state = bead.status === 'hooked' ? 'is already hooked by' : 'is in the merge queue, from'
    throw new ConflictError(`${bead.shownId} ${state} ${bead.assignee}`, {
      code: 'bead-taken',
      hint: `see it: gt peek ${bead.assignee} · take it back: gt unsling ${bead.shownId}`,
      details: { bead: bead.id, assignee: bead.assignee ?? null },
    })
  }
  if (bead.status !== 'open') {
    throw new ConflictError(`${bead.shownId} is ${bead.status}`, {
      code: 'bead-not-open',
      hint: `gt bead reopen ${bead.shownId}`,
      details: { bead: bead.id, status: bead.status },
    })
  }
  const blockers = openBlockers(view, bead)
  if (blockers.length > 0) {
    const shown = blockers.map((key) => view.get(key)?.shownId ?? key)
    throw new ConflictError(`${bead.shownId} waits for ${shown.join(', ')}`, {
      code: 'bead-blocked',
      hint: `sling that first, or drop the dependency: gt bead dep ${bead.shownId} ${shown[0]} --remove`,
      details: { bead: bead.id, blockers },
    })
  }
}

function checkLimit(town: Town, view: View): void {
  const busy = view
    .list({ kind: 'agent' })
    .map(agentFrom)
    .filter((agent) => agent.hook !== undefined).length
  if (busy < town.config.limits.agents) return
  throw new OperationError(
    `${busy} agents are at work, and the limit of this town is ${town.config.limits.agents}`,
    {
      code: 'too-many-agents',
      hint: 'wait for one to finish, or raise [limits] agents in town.toml',
    },
  )
}

function chooseAgent(view: View, rig: Rig, wanted: string | undefined, taken: ReadonlySet<string>): AgentId {
  const isBusy = (id: AgentId): Agent | undefined => {
    const entity = view.get(id)
    if (entity?.kind !== 'agent') return undefined
    const agent = agentFrom(entity)
    // A worktree that is still there belongs to the last bead until it is cleaned up.
    return agent.hook !== undefined || agent.worktree !== undefined ? agent : undefined
  }
  if (wanted !== undefined) {
    const id = agentId(rig.name, wanted)
    const busy = isBusy(id)
    if (!busy && !taken.has(id)) return id
    throw new ConflictError(
      `${id} already works on ${view.get(busy?.hook ?? '')?.shownId ?? 'another bead'}`,
      {
        code: 'agent-busy',
        hint: 'choose another --name, or leave it out',
      },
    )
  }
  return agentId(
    rig.name,
    nextAgentName((name) => {
      const id = agentId(rig.name, name)
      return taken.has(id) || isBusy(id) !== undefined
    }),
  )
}

/** Gives the bead back, if this sling still holds it. */
function releaseClaim(town: Town, agent: Agent): void {
  town.ledger.transact(town.actor, (view) => {
    const entity = view.get(agent.id)
    const now = entity === undefined ? undefined : agentFrom(entity)
    if (now?.hook === undefined || now.hook !== agent.hook) return {}
    const bead = view.get(now.hook)
    return { ops: releaseOps(now, bead === undefined ? undefined : beadFrom(bead), 'open') }
  })
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

async function rollBack(
  error: unknown,
  undo: { what: string; run: () => Promise<void> }[],
): Promise<GtError> {
  const cause = asGtError(error)
  const undone: string[] = []
  const stuck: string[] = []
  for (const step of undo.reverse()) {
    try {
      await step.run()
      undone.push(step.what)
    } catch (failure) {
      // What was not there needs no undoing.
      if (failure instanceof NotFoundError) continue
      stuck.push(`${step.what}: ${failure instanceof Error ? failure.message : String(failure)}`)
    }
  }
  const said = stuck.length === 0 ? `undone: ${undone.join(', ')}` : `could not undo ${stuck.join('; ')}`
  return new RolledBackError(cause, said, { undone, stuck })
}

export function asGtError(error: unknown): GtError {
  if (error instanceof GtError) return error
  return new OperationError(error instanceof Error ? error.message : String(error), {
    code: 'unexpected',
    cause: error,
  })
}
