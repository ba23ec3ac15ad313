import type { AgentId } from '../domain/ids.js'
import type { ObservedSession, OrchestratorEvent } from '../ports/orchestrator.js'

/**
 * What changed since the last look, as events.
 * @param known - the last look, kept up to date: agent → its session as text
 */
export function* sessionChanges(
  known: Map<AgentId, string>,
  sessions: readonly ObservedSession[],
): Generator<OrchestratorEvent> {
  const present = new Set(sessions.map((session) => session.agent))
  for (const agent of [...known.keys()]) {
    if (present.has(agent)) continue
    known.delete(agent)
    yield { kind: 'session-gone', agent }
  }
  for (const session of sessions) {
    const text = JSON.stringify(session)
    if (known.get(session.agent) === text) continue
    known.set(session.agent, text)
    yield { kind: 'session-changed', session }
  }
}
