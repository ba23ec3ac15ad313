import { type Agent, agentFrom } from '../domain/agent.js'
import { type DerivedState, deriveState, type Observed } from '../domain/agent-state.js'
import type { Ask } from '../domain/ask.js'
import type { Bead } from '../domain/bead.js'
import { beadFrom } from '../domain/bead.js'
import { type Convoy, type ConvoyProgress, convoyFrom, convoyProgress } from '../domain/convoy.js'
import { HUMAN } from '../domain/ids.js'
import { type Merge, mergeFrom } from '../domain/merge.js'
import { newestPluginError } from '../domain/report.js'
import { AGENT_STATES, type AgentState, type Session } from '../domain/session.js'
import type { View } from '../ports/ledger.js'
import type { ObservedSession } from '../ports/orchestrator.js'
import type { SyncState } from '../ports/upkeep.js'
import { findBead, findSession } from './find-entity.js'
import { isHere, machineName } from './here.js'
import { readyBeads } from './list-beads.js'
import { listPools, type PoolView } from './pools.js'
import { countUnread } from './send-mail.js'
import type { Town } from './town.js'
import { openAsks } from './track-asks.js'

/** One agent as every surface shows it. */
export interface AgentView {
  id: string
  name: string
  rig: string
  role: string
  runtime: string
  backend: string
  state: AgentState
  /** Why, for people; may be empty. */
  detail: string
  bead?: { id: string; title: string; status: Bead['status'] }
  branch?: string
  worktree?: string
  base?: string
  /** Where its session is: `pane %3`. */
  location: string
  /** ISO; start of the present session. */
  since?: string
  lastActivityAt?: string
  conversation?: string
  /** ISO; while it is limited. */
  limitedUntil?: string
  costUsd: number
  tokens: number
  unreadMail: number
}

export interface ConvoyView {
  id: string
  title: string
  status: Convoy['status']
  progress: ConvoyProgress
  beads: { id: string; title: string; status: Bead['status']; assignee?: string }[]
}

/** Everything the CLI, the dashboard and the web show, from one reading of the store and one question to the backend. */
export interface TownView {
  name: string
  root: string
  at: string
  agents: AgentView[]
  /** What waits for a person, oldest first; not of sessions that are proven gone. */
  asks: Ask[]
  convoys: ConvoyView[]
  /** Open ones. */
  pools: PoolView[]
  /** Entries that are not done with, oldest first. */
  queue: Merge[]
  recentlyMerged: Merge[]
  beads: { ready: number; open: number; hooked: number; inReview: number; closed: number }
  unreadForHuman: number
  /** How the exchange with other machines stands; absent without a remote. */
  sync?: SyncState
  /** What is wrong and cannot be ignored: the backend silent, damage in the store, plugin failures, waiting merges. */
  problems: string[]
}

/**
 * @param now - for ages and for "is its screen still moving"
 * @throws nothing for a silent backend: that is a problem in the view, and its agents are `unknown`
 */
export async function readTownView(town: Town): Promise<TownView> {
  const view = town.ledger.read()
  const problems: string[] = []
  const sessions = await observeSessions(town, problems)
  const sync = await readSyncState(town)
  if (sync !== undefined) problems.push(...syncProblems(sync))
  return { ...composeTownView(town, view, sessions, problems), ...(sync === undefined ? {} : { sync }) }
}

async function readSyncState(town: Town): Promise<SyncState | undefined> {
  const { remote } = town.config.store
  if (remote === undefined) return undefined
  return (await town.upkeep()).syncState() ?? { remote }
}

/** Sessions by agent; undefined when the backend could not be asked. */
async function observeSessions(
  town: Town,
  problems: string[],
): Promise<Map<string, ObservedSession> | undefined> {
  try {
    const orchestrator = await town.orchestrator()
    return new Map((await orchestrator.list()).map((session) => [session.agent as string, session]))
  } catch (error) {
    problems.push(`sessions cannot be seen: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

export function composeTownView(
  town: Town,
  view: View,
  sessions: ReadonlyMap<string, ObservedSession> | undefined,
  problems: string[],
): TownView {
  const agents = view.list({ kind: 'agent' }).map(agentFrom)
  const merges = view.list({ kind: 'merge' }).map(mergeFrom)
  const agentViews = agents.map((agent) => viewAgent(town, view, agent, sessions)).sort(byNeed)
  for (const id of sessions?.keys() ?? []) {
    if (!agents.some((agent) => agent.id === id))
      problems.push(`session ${id} runs, but no agent of that name is recorded`)
  }
  if (town.configProblem !== undefined)
    problems.push(`the old configuration is in use: ${town.configProblem}`)
  problems.push(...rigProblems(town))
  problems.push(...storeProblems(town, view), ...pluginProblems(town, view), ...queueProblems(merges))
  const count = (status: string) => view.count({ kind: 'bead', status, archived: 'too' })
  return {
    name: town.config.name,
    root: town.root,
    at: new Date(town.clock.now()).toISOString(),
    agents: agentViews,
    asks: openAsks(view).filter(({ agent }) => isThere(sessions, agent)),
    convoys: view
      .list({ kind: 'convoy', status: 'open' })
      .map((entity) => viewConvoy(view, convoyFrom(entity))),
    pools: listPools(town, view, false),
    queue: merges.filter((merge) => ['queued', 'running', 'waiting'].includes(merge.status)),
    recentlyMerged: merges.filter((merge) => merge.status === 'merged').slice(-10),
    beads: {
      ready: readyBeads(view, town.clock.now()).length,
      open: count('open'),
      hooked: count('hooked'),
      inReview: count('in_review'),
      closed: count('closed'),
    },
    unreadForHuman: countUnread(view, HUMAN),
    problems,
  }
}

/** Also when the backend is silent. */
function isThere(sessions: ReadonlyMap<string, ObservedSession> | undefined, agent: string): boolean {
  return sessions === undefined || sessions.get(agent)?.liveness.kind === 'running'
}

/** Needs input first, then working, then what is ready for review, then the rest; AGENT_STATES holds that order. */
function byNeed(a: AgentView, b: AgentView): number {
  return AGENT_STATES.indexOf(a.state) - AGENT_STATES.indexOf(b.state) || (a.id < b.id ? -1 : 1)
}

function viewAgent(
  town: Town,
  view: View,
  agent: Agent,
  sessions: ReadonlyMap<string, ObservedSession> | undefined,
): AgentView {
  const session = findSession(view, agent)
  const bead = findBead(view, agent.hook)
  const observedSession = sessions?.get(agent.id)
  const { state, detail } = derive(
    town,
    agent,
    session,
    bead,
    sessions === undefined ? 'silent' : observedSession,
  )
  const optional = <K extends string, V>(key: K, value: V | undefined) =>
    value === undefined ? {} : { [key]: value }
  return {
    id: agent.id,
    name: agent.name,
    rig: agent.rig ?? '',
    role: agent.role,
    runtime: agent.runtime,
    backend: agent.backend,
    state,
    detail,
    ...optional('bead', bead && { id: bead.shownId, title: bead.title, status: bead.status }),
    ...optional('branch', agent.branch),
    ...optional('worktree', agent.worktree),
    ...optional('base', agent.base),
    location: observedSession?.location ?? '',
    ...optional('since', session?.createdAt),
    ...optional('lastActivityAt', observedSession?.lastActivityAt),
    ...optional('conversation', session?.conversation),
    ...optional('limitedUntil', state === 'limited' ? session?.limitedUntil : undefined),
    costUsd: session?.costUsd ?? 0,
    tokens: session?.tokens ?? 0,
    unreadMail: countUnread(view, agent.id),
  }
}

/** A program without hooks counts as working while its screen changed this recently. */
const SCREEN_BUSY_MS = 15_000

function derive(
  town: Town,
  agent: Agent,
  session: Session | undefined,
  bead: Bead | undefined,
  observed: ObservedSession | 'silent' | undefined,
): DerivedState {
  const slingerAlive =
    agent.slinger === undefined ? undefined : town.host.isProcessAlive(agent.slinger) !== false
  return deriveState({
    agent,
    observed: toObserved(town, agent, observed),
    ...(session === undefined ? {} : { session }),
    ...(bead === undefined ? {} : { bead }),
    ...(slingerAlive === undefined ? {} : { slingerAlive }),
  })
}

function toObserved(town: Town, agent: Agent, observed: ObservedSession | 'silent' | undefined): Observed {
  if (agent.home !== undefined && !isHere(town, agent.home)) {
    const machine = machineName(town.ledger.read(), agent.home)
    return { kind: 'unknown', why: `it lives on another machine: ${machine}` }
  }
  if (observed === 'silent') return { kind: 'unknown', why: 'its backend did not answer' }
  if (observed === undefined) return { kind: 'absent' }
  const live = observed.liveness
  if (live.kind !== 'running') return live
  const hooked = town.config.runtimes[agent.runtime]?.hooks !== 'none'
  const activity = observed.lastActivityAt
  const screenBusy =
    hooked || activity === undefined ? undefined : town.clock.now() - Date.parse(activity) < SCREEN_BUSY_MS
  return {
    kind: 'running',
    ...(live.pid === undefined ? {} : { pid: live.pid }),
    ...(activity === undefined ? {} : { lastActivityAt: activity }),
    ...(screenBusy === undefined ? {} : { screenBusy }),
    ...(observed.activity === undefined ? {} : { activity: observed.activity }),
  }
}

export function viewConvoy(view: View, convoy: Convoy): ConvoyView {
  const beads = convoy.beads.flatMap((key) => {
    const entity = view.get(key)
    return entity?.kind === 'bead' ? [beadFrom(entity)] : []
  })
  return {
    id: convoy.shownId,
    title: convoy.title,
    status: convoy.status,
    progress: convoyProgress(beads),
    beads: beads.map((bead) => ({
      id: bead.shownId,
      title: bead.title,
      status: bead.status,
      ...(bead.assignee === undefined ? {} : { assignee: bead.assignee }),
    })),
  }
}

function rigProblems(town: Town): string[] {
  return Object.values(town.config.rigs).flatMap((rig) =>
    rig.source.kind === 'path' && !town.host.exists(rig.source.path)
      ? [`the clone of rig ${rig.name} is gone: ${rig.source.path}`]
      : [],
  )
}

function storeProblems(town: Town, view: View): string[] {
  const { badLines, unknownOps } = view.damage
  const problems: string[] = []
  if (badLines > 0)
    problems.push(`the store holds ${badLines} damaged ${badLines === 1 ? 'line' : 'lines'}: run gt doctor`)
  const lost = town.ledger.lostFiles()
  if (lost.length > 0)
    problems.push(`the log lost something that was committed, in ${lost.join(', ')}: run gt doctor`)
  if (unknownOps > 0)
    problems.push(
      `the store holds ${unknownOps} operations of a newer gt: they are kept, but not understood here`,
    )
  return problems
}

/** Longer than any pause between two exchanges while something is written. */
const UNSENT_IS_ODD_MS = 600_000

function syncProblems({ missing = [], ...state }: SyncState): string[] {
  const away = `records are here but not on ${state.remote}: ${missing.join(', ')} (gt sync says what to do)`
  return [...exchangeProblems(state), ...(missing.length === 0 ? [] : [away])]
}

function exchangeProblems({ remote, lastError, unsentForMs = 0 }: SyncState): string[] {
  const waits = unsentForMs > UNSENT_IS_ODD_MS
  if (lastError !== undefined) {
    const since = waits ? `beads wait for ${Math.floor(unsentForMs / 60_000)} min to be sent: ` : ''
    return [`${since}the last sync failed at ${lastError.at}: ${lastError.message} (gt sync)`]
  }
  return waits
    ? [`beads wait for ${Math.floor(unsentForMs / 60_000)} min to be sent to ${remote} (gt sync)`]
    : []
}

function queueProblems(merges: readonly Merge[]): string[] {
  return merges
    .filter((merge) => merge.status === 'waiting')
    .map(
      (merge) =>
        `merge ${merge.shownId} of ${merge.bead} waits: ${merge.reason ?? 'unknown'} (gt mq retry ${merge.shownId})`,
    )
}

const STRAY_SHOWN_MS = 3_600_000

/** Failures that plugins reported, of agents that still have work; those that could not even report wrote a file. */
function pluginProblems(town: Town, view: View): string[] {
  const problems: string[] = []
  const seen = new Map<string, { message: string; at: string }>()
  for (const event of view.events({ type: 'plugin.error', limit: 200 })) {
    seen.set(String(event.data.agent ?? event.by), {
      message: String(event.data.message ?? ''),
      at: event.at,
    })
  }
  for (const agent of view.list({ kind: 'agent' }).map(agentFrom)) {
    if (agent.hook === undefined) continue
    const file = town.host.readFile(`${town.places.runDir}/plugin-errors/${agent.id.replace('/', '_')}.jsonl`)
    const noted = file === undefined ? undefined : newestPluginError(file)
    const since = findSession(view, agent)?.createdAt ?? ''
    const failure = [seen.get(agent.id), noted].find((one) => one !== undefined && one.at >= since)
    if (failure) problems.push(`the plugin of ${agent.id} failed: ${failure.message}`)
  }
  // Of a server, before it is known whose session it is.
  const stray = newestPluginError(
    town.host.readFile(`${town.places.runDir}/plugin-errors/server.jsonl`) ?? '',
  )
  if (stray && town.clock.now() - Date.parse(stray.at) < STRAY_SHOWN_MS)
    problems.push(`the plugin of an OpenCode server failed: ${stray.message}`)
  return problems
}
