import type { Agent } from './agent.js'
import type { Bead } from './bead.js'
import type { AgentState, Session } from './session.js'

/** What is really there, as the backend sees it; `absent` = the backend answered and has no such session. */
export type Observed =
  | { kind: 'running'; pid?: number; lastActivityAt?: string; screenBusy?: boolean; activity?: Doing }
  | { kind: 'stopped'; exitCode?: number; signal?: string; why: string }
  | { kind: 'absent' }
  | { kind: 'unknown'; why: string }

/** What the backend itself sees it do; a screen does not tell. */
export type Doing =
  | { kind: 'busy' }
  | { kind: 'idle' }
  | { kind: 'asking'; what: string }
  | { kind: 'retry'; message: string; at?: string }

export interface DerivedState {
  state: AgentState
  /** Why, for people; empty when the state says it all. */
  detail: string
}

export interface StateMaterial {
  agent: Agent
  session?: Session
  bead?: Bead
  observed: Observed
  /** Whether the process that slings it now is alive; undefined when nobody slings it. */
  slingerAlive?: boolean
}

/** One truth from what was recorded and what is really there; what is really there wins. */
export function deriveState({ agent, session, bead, observed, slingerAlive }: StateMaterial): DerivedState {
  if (observed.kind === 'unknown') return { state: 'unknown', detail: observed.why }
  if (slingerAlive === true) return { state: 'starting', detail: 'being slung' }
  if (observed.kind === 'running') return runningState(agent, session, observed)
  if (agent.slinger !== undefined) {
    return {
      state: 'failed',
      detail: `its sling was interrupted; gt sling ${bead?.shownId ?? agent.hook ?? ''} finishes it`,
    }
  }
  if (session?.reported === 'done') return { state: 'done', detail: '' }
  if (session === undefined || session.reported === 'stopped')
    return { state: 'stopped', detail: session?.reason ?? '' }
  if (agent.hook === undefined) return { state: 'done', detail: '' }
  const after =
    bead?.status === 'in_review'
      ? '; its work is in the merge queue'
      : `; gt agent resume ${agent.id} goes on`
  if (observed.kind === 'absent') return { state: 'failed', detail: `its session vanished${after}` }
  return { state: 'failed', detail: `${exitText(observed)}${after}` }
}

function runningState(
  agent: Agent,
  session: Session | undefined,
  observed: { lastActivityAt?: string; screenBusy?: boolean; activity?: Doing },
): DerivedState {
  if (session === undefined) return { state: 'unknown', detail: 'a session runs that no record knows' }
  const seen = observed.activity === undefined ? undefined : seenState(session, observed.activity)
  if (seen !== undefined) return seen
  // Programs without hooks are judged by their screen alone.
  if (session.heardAt === undefined) {
    if (observed.screenBusy === true) return { state: 'working', detail: 'its screen changes' }
    if (observed.screenBusy === false) return { state: 'idle', detail: 'its screen is still' }
    return { state: 'starting', detail: 'not heard from yet' }
  }
  switch (session.reported) {
    case 'waiting':
      return { state: 'waiting', detail: session.reason ?? 'other' }
    case 'limited':
      return { state: 'limited', detail: session.reason ?? '' }
    case 'working':
    case 'idle':
      return { state: session.reported, detail: session.reason ?? '' }
    case 'stalled':
      return { state: 'stalled', detail: `${session.reason ?? ''}; gt agent abort ${agent.id} interrupts it` }
    case 'broken':
      return { state: 'failed', detail: `${session.reason ?? ''}; it runs: gt nudge ${agent.id} "go on"` }
    case 'starting':
      return { state: 'starting', detail: '' }
    default:
      return { state: 'idle', detail: `recorded as ${session.reported}, but it runs` }
  }
}

/**
 * What the backend sees, where the session's own words do not say the same and more.
 * @returns undefined when they do: an idle session may wait for a person all the same
 */
function seenState(session: Session, activity: Doing): DerivedState | undefined {
  const says = (...states: Session['reported'][]) =>
    session.heardAt !== undefined && states.includes(session.reported)
  switch (activity.kind) {
    case 'busy':
      return says('working', 'waiting', 'stalled') ? undefined : { state: 'working', detail: '' }
    case 'asking':
      return says('waiting') ? undefined : { state: 'waiting', detail: activity.what }
    case 'retry':
      // Of a server that fails and is tried again it says "working": that is no limit.
      if (says('limited') || (says('working') && session.reason !== undefined)) return undefined
      return { state: 'limited', detail: [activity.message, activity.at].filter(Boolean).join('; again at ') }
    case 'idle':
      return session.heardAt === undefined || says('working', 'starting')
        ? { state: 'idle', detail: '' }
        : undefined
  }
}

function exitText(observed: { exitCode?: number; signal?: string; why: string }): string {
  if (observed.signal !== undefined) return `killed by ${observed.signal}`
  if (observed.exitCode !== undefined) return `exited with ${observed.exitCode}`
  return observed.why
}
