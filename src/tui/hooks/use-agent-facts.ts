import { useEffect, useRef, useState } from 'react'
import type { AgentView } from '../../app/town-view.js'
import type { DashboardSource } from '../dashboard-source.js'
import { lastTelling } from '../format.js'
import { type AgentFacts, type Fetch, planFetch } from '../plan-fetch.js'

export type FactsByAgent = ReadonlyMap<string, AgentFacts>

/** Lines read to find the last one that says something. */
const SCREEN_LINES = 12

/** Last line and diff of every agent, asked for one at a time and only after something happened to it. */
export function useAgentFacts(
  source: DashboardSource,
  agents: readonly AgentView[],
  now: () => number,
  isActive: boolean,
): FactsByAgent {
  const [facts, setFacts] = useState<FactsByAgent>(new Map())
  const known = useRef<FactsByAgent>(facts)
  const isAsking = useRef(false)
  const [wake, setWake] = useState(0)

  // biome-ignore lint/correctness/useExhaustiveDependencies: `wake` asks for another round after a pause or an answer
  useEffect(() => {
    if (!isActive || isAsking.current) return
    const next = planFetch(agents, known.current, now())
    if (next.kind === 'nothing') return
    if (next.kind === 'wait') {
      const timer = setTimeout(() => setWake((count) => count + 1), next.ms)
      return () => clearTimeout(timer)
    }
    isAsking.current = true
    void ask(source, next).then((answer) => {
      isAsking.current = false
      const before = known.current
      known.current = withFacts(before, agents, next.agent.id, {
        ...before.get(next.agent.id),
        ...answer,
        ...stamp(next, now()),
      })
      setFacts(known.current)
      setWake((count) => count + 1)
    })
    return undefined
  }, [source, agents, now, isActive, wake])
  return facts
}

type Question = Extract<Fetch, { agent: AgentView }>

/** What cannot be found out is left as it was; the same activity is not asked about again. */
async function ask(source: DashboardSource, question: Question): Promise<Partial<AgentFacts>> {
  try {
    if (question.kind === 'screen')
      return { said: lastTelling(await source.preview(question.agent.id, SCREEN_LINES)) }
    const diff = await source.diffStat(question.agent)
    return diff === undefined ? {} : { diff }
  } catch {
    return {}
  }
}

function stamp({ kind, activity }: Question, at: number): Partial<AgentFacts> {
  return kind === 'screen' ? { saidFor: activity, saidAt: at } : { diffFor: activity, diffAt: at }
}

/** Agents that left the town are forgotten. */
function withFacts(
  known: FactsByAgent,
  agents: readonly AgentView[],
  id: string,
  facts: AgentFacts,
): FactsByAgent {
  const present = new Set(agents.map((agent) => agent.id))
  return new Map([...known].filter(([agent]) => present.has(agent)).concat([[id, facts]]))
}
