import type { BeadStatus } from './bead.js'
import type { AgentState } from './session.js'

/** What somebody waits for: an agent in one of some states, or a bead in one. */
export type Awaited =
  | { kind: 'agent'; id: string; states: readonly AgentState[] }
  | { kind: 'bead'; id: string; statuses: readonly BeadStatus[] }

/** As it is now. */
export interface Standing {
  id: string
  state: AgentState | BeadStatus
  detail: string
}

/** Whoever waits for an agent wants it to have come to rest, in whatever way. */
export const AT_REST: readonly AgentState[] = ['idle', 'waiting', 'limited', 'done', 'stopped', 'failed']

/**
 * `reached`, `pending`, or `hopeless`: what is awaited cannot come by itself any more. What could not be asked is pending.
 */
export function judge(awaited: Awaited, now: Standing): 'reached' | 'pending' | 'hopeless' {
  if (awaited.kind === 'bead') {
    const status = now.state as BeadStatus
    if (awaited.statuses.includes(status)) return 'reached'
    return status === 'closed' || status === 'failed' ? 'hopeless' : 'pending'
  }
  const state = now.state as AgentState
  if (awaited.states.includes(state)) return 'reached'
  return state === 'done' || state === 'stopped' || state === 'failed' ? 'hopeless' : 'pending'
}
