import type { Agent } from '../domain/agent.js'
import { ConflictError, GtError, TimeoutError, UsageError } from '../domain/errors.js'
import { randomId } from '../domain/ids.js'
import { byteLength } from '../domain/prime.js'
import type { Orchestrator, Receipt, SendOptions } from '../ports/orchestrator.js'
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
 * @param options.isAnonymous - the words are a prompt as it stands: who says them is not put before them
 * @throws UsageError code `text-too-long`; NotFoundError; ConflictError code `session-dead`, also when there is none any more;
 *   TimeoutError code `not-accepted`
 */
export async function nudgeAgent(
  town: Town,
  typed: string,
  text: string,
  options: { isAnonymous?: boolean } = {},
): Promise<Nudged> {
  // What drives a terminal is never typed, so it does not count as something to say either.
  const words = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '').trim()
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
  const send = (words: string, options?: SendOptions): Promise<Receipt> =>
    orchestrator.send(agent.id, words, options).catch((error: unknown) => {
      throw sayWhatToDo(error, agent)
    })
  if (runtime?.hooks !== 'plugin') return { agent: agent.id, receipt: await send(`${words} `) }
  // A server takes a text as a message and says so; a screen has to be waited for, and its plugin's report.
  const isMessage = (await orchestrator.provesReceipts?.(agent.id)) ?? false
  if (!isMessage) await untilHeard(town, agent, orchestrator)

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
  const said = options.isAnonymous === true ? words : `from ${from}: ${words}`
  const receipt = await send(`[gt:${mark}] ${said} `, isMessage ? {} : { confirm })
  town.ledger.transact(town.actor, () => ({
    ops: [{ o: 'ev', type: 'nudge.accepted', data: { agent: agent.id, from, receipt: mark } }],
  }))
  return { agent: agent.id, receipt }
}

const READY_TIMEOUT_MS = 60_000

/** A program that still starts would swallow what is typed at it: its own first report says that it listens. */
async function untilHeard(town: Town, agent: Agent, orchestrator: Orchestrator): Promise<void> {
  const deadline = town.clock.now() + READY_TIMEOUT_MS
  for (;;) {
    // Not its conversation: that of a resumed session is known before its program runs.
    const session = findSession(town.ledger.read(), agent)
    if (session?.heardAt !== undefined && session.reported !== 'starting') return
    const live = await orchestrator.status(agent.id)
    // Gone, or not to be asked: sending says so in its own words.
    if (live.kind !== 'running') return
    if (town.clock.now() >= deadline) break
    await town.clock.sleep(READY_POLL_MS)
  }
  throw new TimeoutError(
    `${agent.id} runs, but its plugin was not heard within ${READY_TIMEOUT_MS / 1_000} s; nothing was typed`,
    {
      code: 'not-ready',
      hint: `look: gt peek ${agent.id} · or leave it mail: gt mail send ${agent.id} "subject" -m "text"`,
      details: { agent: agent.id },
    },
  )
}

const READY_POLL_MS = 200

/** The backend knows that the session is dead; what helps depends on whether the agent has work. */
function sayWhatToDo(error: unknown, agent: Agent): unknown {
  if (!(error instanceof GtError) || !['session-dead', 'session-not-found'].includes(error.code)) return error
  return new ConflictError(error.message, {
    code: 'session-dead',
    hint:
      agent.hook === undefined
        ? 'it has no work either: gt sling BEAD RIG'
        : `start it again: gt agent resume ${agent.id} · or leave it mail: gt mail send ${agent.id} "subject" -m "text"`,
    details: { agent: agent.id },
    cause: error,
  })
}
