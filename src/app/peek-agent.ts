import { NotFoundError } from '../domain/errors.js'
import { getAgent } from './find-entity.js'
import { screenPath } from './start-session.js'
import type { Town } from './town.js'

export interface Peeked {
  agent: string
  /** `kept`: its session is gone, this is the screen that was saved when it ended. */
  from: 'session' | 'kept'
  lines: string[]
}

/** @throws NotFoundError code `no-screen` when it has no session and none was kept */
export async function peekAgent(town: Town, typed: string, scrollbackLines: number): Promise<Peeked> {
  const agent = getAgent(town.ledger.read(), typed)
  const orchestrator = await town.orchestrator()
  try {
    return {
      agent: agent.id,
      from: 'session',
      lines: await orchestrator.output(agent.id, { scrollbackLines }),
    }
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
    const kept = town.host.readFile(screenPath(town, agent))
    if (kept === undefined) {
      throw new NotFoundError(`${agent.id} has no session, and no screen of an earlier one was kept`, {
        code: 'no-screen',
        hint: `gt agent show ${agent.id}`,
        cause: error,
      })
    }
    return { agent: agent.id, from: 'kept', lines: kept.replace(/\n$/, '').split('\n') }
  }
}
