import { agentFrom } from '../domain/agent.js'
import { type RecordedSession, reconcile, type Seen, type Verdict } from '../domain/reconcile.js'
import type { Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import type { ObservedSession } from '../ports/orchestrator.js'
import { findSession, getAgent } from './find-entity.js'
import { isHere } from './here.js'
import type { Town } from './town.js'

/**
 * Compares every recorded session with what its backend really has, and records each one that is proven to be gone. What
 * could not be asked stays as it is recorded.
 * @param typed - only these agents; empty: all
 * @throws NotFoundError for an unknown agent
 */
export async function checkSessions(town: Town, typed: readonly string[]): Promise<Verdict[]> {
  const view = town.ledger.read()
  const wanted =
    typed.length === 0 ? undefined : new Set(typed.map((one) => getAgent(view, one).id as string))
  const { seen, silent } = await look(town)
  const verdicts = reconcile(recordedSessions(town, view), seen, silent).filter(
    ({ agent }) => wanted === undefined || wanted.has(agent),
  )
  recordLost(town, verdicts)
  return verdicts
}

async function look(town: Town): Promise<{ seen: Map<string, Seen>; silent: string | undefined }> {
  try {
    const sessions = await (await town.orchestrator()).list()
    return { seen: new Map(sessions.map((one) => [one.agent as string, seenOf(one)])), silent: undefined }
  } catch (error) {
    return { seen: new Map(), silent: error instanceof Error ? error.message : String(error) }
  }
}

function seenOf({ liveness }: ObservedSession): Seen {
  if (liveness.kind === 'running') return { kind: 'running' }
  return { kind: liveness.kind, why: liveness.why }
}

function recordedSessions(town: Town, view: View): RecordedSession[] {
  return view
    .list({ kind: 'agent' })
    .map(agentFrom)
    .flatMap((agent) => {
      const session = findSession(view, agent)
      if (session === undefined || !isHere(town, agent.home)) return []
      return [
        {
          agent: agent.id,
          session: session.id,
          backend: session.backend,
          reported: session.reported,
          isBeingSlung: agent.slinger !== undefined && town.host.isProcessAlive(agent.slinger) !== false,
        },
      ]
    })
}

function recordLost(town: Town, verdicts: readonly Verdict[]): void {
  const lost = verdicts.filter((verdict) => verdict.kind === 'lost')
  if (lost.length === 0) return
  const at = new Date(town.clock.now()).toISOString()
  town.ledger.transact(town.actor, () => ({
    ops: lost.flatMap(({ agent, session, what }): Op[] => [
      { o: 'set', id: session, f: { state: 'failed', state_at: at, reason: what, ended_at: at } },
      { o: 'ev', type: 'session.lost', data: { agent, session, reason: what } },
    ]),
  }))
}
