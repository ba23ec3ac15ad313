import type { AgentView } from '../app/town-view.js'
import type { DiffStat } from './dashboard-source.js'

/** What the dashboard has found out about an agent besides its view, and for which activity. */
export interface AgentFacts {
  said?: string
  saidFor?: string
  saidAt?: number
  diff?: DiffStat
  diffFor?: string
  diffAt?: number
}

export type Fetch =
  | { kind: 'screen' | 'diff'; agent: AgentView; activity: string }
  | { kind: 'wait'; ms: number }
  | { kind: 'nothing' }

/** One answer starts a process, so each agent gets its turn this often at most, and only after something happened. */
const SCREEN_EVERY_MS = 5_000
const DIFF_EVERY_MS = 20_000

/** Changes whenever the agent may have something new to show. */
export function activityOf(agent: AgentView): string {
  return [
    agent.state,
    agent.detail,
    agent.lastActivityAt,
    agent.bead?.id,
    agent.bead?.status,
    agent.branch,
  ].join('|')
}

/** The next question to ask: agents never asked about come first, in the order given; then the one that waits longest. */
export function planFetch(
  agents: readonly AgentView[],
  known: ReadonlyMap<string, AgentFacts>,
  now: number,
): Fetch {
  const due: { kind: 'screen' | 'diff'; agent: AgentView; activity: string; at: number }[] = []
  for (const agent of agents) {
    const facts = known.get(agent.id) ?? {}
    const activity = activityOf(agent)
    const hasScreen = agent.location !== '' && agent.state !== 'stopped'
    if (hasScreen && facts.saidFor !== activity)
      due.push({ kind: 'screen', agent, activity, at: dueAt(facts.saidAt, SCREEN_EVERY_MS) })
    if (agent.branch !== undefined && facts.diffFor !== activity)
      due.push({ kind: 'diff', agent, activity, at: dueAt(facts.diffAt, DIFF_EVERY_MS) })
  }
  const next = due.sort((a, b) => a.at - b.at)[0]
  if (next === undefined) return { kind: 'nothing' }
  if (next.at > now) return { kind: 'wait', ms: next.at - now }
  return { kind: next.kind, agent: next.agent, activity: next.activity }
}

function dueAt(last: number | undefined, everyMs: number): number {
  return last === undefined ? 0 : last + everyMs
}
