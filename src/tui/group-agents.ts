import type { AgentView } from '../app/town-view.js'
import { AGENT_STATES, type AgentState } from '../domain/session.js'

export const NEEDS = ['input', 'working', 'review', 'rest'] as const
export type Need = (typeof NEEDS)[number]

export const NEED_TITLES: Readonly<Record<Need, string>> = {
  input: 'needs input',
  working: 'working',
  review: 'ready for review',
  rest: 'the rest',
}

export interface AgentGroup {
  need: Need
  agents: AgentView[]
}

/**
 * What an agent asks of the person. Work in the merge queue counts as review even when its session is gone: it is
 * handed in. A limited agent goes on by itself, so it is with the rest.
 */
export function needOf(agent: AgentView): Need {
  if (agent.state === 'waiting') return 'input'
  if (agent.state === 'working' || agent.state === 'starting') return 'working'
  if (agent.bead?.status === 'in_review') return 'review'
  return NEEDS_LOOK.has(agent.state) ? 'input' : 'rest'
}

const NEEDS_LOOK: ReadonlySet<AgentState> = new Set(['failed', 'stalled', 'unknown'])

/** Groups in the order in which a person is needed, empty ones left out. */
export function groupAgents(agents: readonly AgentView[]): AgentGroup[] {
  return NEEDS.map((need) => ({
    need,
    agents: agents.filter((agent) => needOf(agent) === need).sort(byState),
  })).filter((group) => group.agents.length > 0)
}

function byState(a: AgentView, b: AgentView): number {
  return AGENT_STATES.indexOf(a.state) - AGENT_STATES.indexOf(b.state) || (a.id < b.id ? -1 : 1)
}

/** Every word must occur somewhere in what the row shows. */
export function filterAgents(agents: readonly AgentView[], filter: string): AgentView[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  return agents.filter((agent) => {
    const text = searchText(agent)
    return words.every((word) => text.includes(word))
  })
}

function searchText(agent: AgentView): string {
  const shown = [
    agent.id,
    agent.role,
    agent.runtime,
    agent.state,
    agent.detail,
    agent.bead?.id,
    agent.bead?.title,
    agent.branch,
  ]
  return [...shown, NEED_TITLES[needOf(agent)]].join(' ').toLowerCase()
}
