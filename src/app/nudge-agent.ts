import { UsageError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import { byteLength } from '../domain/prime.js'
import type { Receipt } from '../ports/orchestrator.js'
import { findSession, getAgent } from './find-entity.js'
import type { Town } from './town.js'

export interface Nudged {
  agent: string
  receipt: Receipt
}

const POLL_MS = 40

/**
 * Puts text into a running session now, and returns only with a proof: `accepted` when the program itself reported the
 * text, `shown` for programs without hooks, which cannot say more.
 * @throws UsageError code `text-too-long`; NotFoundError; ConflictError code `session-dead`; TimeoutError code `not-accepted`
 */
export async function nudgeAgent(town: Town, typed: string, text: string): Promise<Nudged> {
  const words = text.trim()
  if (words === '')
    throw new UsageError('there is nothing to say', { code: 'empty-text', hint: 'gt nudge toast "text"' })
  const bytes = byteLength(words)
  const limit = town.config.limits.nudgeBytes
  if (bytes > limit) {
    throw new UsageError(`the text has ${bytes} bytes; at most ${limit} are typed into a session`, {
      code: 'text-too-long',
      hint: `send it as mail and nudge with its id: gt mail send ${typed} "subject" -m -`,
      details: { bytes, limit },
    })
  }
  const view = town.ledger.read()
  const agent = getAgent(view, typed)
  const runtime = town.config.runtimes[agent.runtime]
  const orchestrator = await town.orchestrator()
  const heard = runtime?.hooks === 'plugin' && findSession(view, agent)?.heardAt !== undefined
  if (!heard) return { agent: agent.id, receipt: await orchestrator.send(agent.id, `${words} `) }

  const mark = randomId(town.random.bytes(8), 8)
  const from = town.actor
  const cursor = view.events({ limit: 1 }).at(-1)?.cursor
  const confirm = async (timeoutMs: number): Promise<boolean> => {
    const deadline = town.clock.now() + timeoutMs
    for (;;) {
      const events = town.ledger
        .read()
        .events({ type: 'message.seen', ...(cursor === undefined ? {} : { after: cursor }) })
      if (events.some((event) => event.data.receipt === mark)) return true
      if (town.clock.now() >= deadline) return false
      await town.clock.sleep(POLL_MS)
    }
  }
  const receipt = await orchestrator.send(agent.id, `[gt:${mark}] from ${from}: ${words} `, { confirm })
  town.ledger.transact(town.actor, () => ({
    ops: [{ o: 'ev', type: 'nudge.accepted', data: { agent: agent.id, from, receipt: mark } }],
  }))
  return { agent: agent.id, receipt }
}
