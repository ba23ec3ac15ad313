import type { Agent } from './agent.js'
import type { Bead } from './bead.js'
import type { Session } from './session.js'

/**
 * What this machine must let go of, because another one was first (or a person closed it elsewhere). Follows from the state
 * alone, so it can be asked again after any interruption until it is done.
 *
 * `bead`: the agent lives here, its bead is not its own any more. `agent`: a session runs here under the name of an agent
 * that, by the same rule, lives on another machine; beads that were claimed here for it go back.
 */
export type LostClaim =
  | { kind: 'bead'; agent: Agent; bead: Bead | undefined; why: string }
  | { kind: 'agent'; session: Session; beads: Bead[]; why: string }

export interface ClaimFacts {
  agents: readonly Agent[]
  /** That have not ended. */
  sessions: readonly Session[]
  beads: (key: string) => Bead | undefined
  /** Hooked or in review. */
  claimed: readonly Bead[]
  /** Whether a home is this machine; true for what was recorded before machines were told apart. */
  isHere: (home: string | undefined) => boolean
}

export function findLostClaims({ agents, sessions, beads, claimed, isHere }: ClaimFacts): LostClaim[] {
  const lost: LostClaim[] = []
  for (const agent of agents) {
    if (agent.hook === undefined || agent.home === undefined || !isHere(agent.home)) continue
    const bead = beads(agent.hook)
    const why = whyLost(agent, bead, isHere)
    if (why !== undefined) lost.push({ kind: 'bead', agent, bead, why })
  }
  for (const session of sessions) {
    const agent = agents.find(({ id }) => id === session.agent)
    if (session.home === undefined || !isHere(session.home) || agent === undefined || isHere(agent.home))
      continue
    const own = claimed.filter(
      (bead) => bead.assignee === agent.id && bead.home !== undefined && isHere(bead.home),
    )
    const why = `${agent.id} is an agent of another machine (${agent.home}), which took the name first`
    lost.push({ kind: 'agent', session, beads: own, why })
  }
  return lost
}

function whyLost(agent: Agent, bead: Bead | undefined, isHere: ClaimFacts['isHere']): string | undefined {
  if (bead === undefined) return `${agent.hook} is gone`
  if (bead.status === 'closed') return `${bead.shownId} was closed on another machine`
  if (bead.status !== 'hooked' && bead.status !== 'in_review')
    return `${bead.shownId} was taken back on another machine: it is ${bead.status}`
  if (bead.assignee !== agent.id || !isHere(bead.home))
    return `${bead.shownId} went to ${bead.assignee ?? 'nobody'} on another machine (${bead.home ?? '?'}), whose claim came first`
  return undefined
}
