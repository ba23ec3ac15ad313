import { type Ask, type AskAnswer, askFrom, askTitle, tookAnswer } from '../domain/ask.js'
import { answerOf } from '../domain/ask-answer.js'
import { ConflictError, TimeoutError, UsageError } from '../domain/errors.js'
import { getAgent, getAsk } from './find-entity.js'
import type { Town } from './town.js'
import { deadlineOps, openAsks } from './track-asks.js'

export interface Answered {
  ask: Ask
}

const DEFAULT_TIMEOUT_MS = 30_000

/**
 * Answers an ask, and returns only when the program itself said that it has the answer.
 *
 * @param typed - `allow`, `always`, `deny` or text; for several questions one text each
 * @throws UsageError code `bad-answer` | `own-ask`; ConflictError code `ask-closed` | `ask-answered` | `ask-gone` |
 *   `session-dead`; TimeoutError code `answer-not-proven`: the answer is recorded and is given as soon as the program takes it
 */
export async function answerAsk(
  town: Town,
  typedId: string,
  typed: readonly string[],
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<Answered> {
  const ask = getAsk(town.ledger.read(), typedId)
  if (ask.agent === town.actor) {
    throw new UsageError(`${ask.shownId} is your own: somebody else has to answer it`, { code: 'own-ask' })
  }
  await refuseDead(town, ask)
  const decided = town.ledger.transact(town.actor, (view) => {
    const now = getAsk(view, ask.id)
    const answer = answerOf(now, typed, town.actor)
    if (now.status !== 'open') return { now, answer }
    return {
      now,
      answer,
      ops: [
        {
          o: 'move' as const,
          id: now.id,
          gen: now.generation + 1,
          f: { status: 'answered', answer: { ...answer }, answered_by: town.actor },
        },
        {
          o: 'ev' as const,
          type: 'ask.answered',
          data: { agent: now.agent, ask: now.id, by: town.actor, answer: { ...answer } },
        },
      ],
    }
  })
  if (decided.ops === undefined) refuseLate(decided.now, decided.answer)
  town.step('ask.answered')
  return { ask: await untilProven(town, ask.id, timeoutMs) }
}

/** Nobody can give an answer to a program that is proven gone; one that could not be asked about may well live. */
async function refuseDead(town: Town, ask: Ask): Promise<void> {
  if (ask.status === 'closed') return
  const live = await (await town.orchestrator()).status(getAgent(town.ledger.read(), ask.agent).id)
  if (live.kind !== 'stopped') return
  throw new ConflictError(
    `the session of ${ask.agent} is gone (${live.why}): nobody waits for this answer any more`,
    {
      code: 'session-dead',
      hint: `gt agent resume ${ask.agent}`,
      details: { ask: ask.id, agent: ask.agent },
    },
  )
}

function refuseLate(ask: Ask, answer: AskAnswer): void {
  if (ask.status === 'closed') throw closedError(ask)
  // The same answer again: wait for its proof.
  if (JSON.stringify(ask.answer) === JSON.stringify(answer)) return
  throw new ConflictError(
    `${ask.shownId} was answered already, by ${ask.answeredBy ?? 'somebody'}: ${answerText(ask.answer)}`,
    {
      code: 'ask-answered',
      details: { ask: ask.id, by: ask.answeredBy ?? null },
    },
  )
}

function closedError(ask: Ask): ConflictError {
  const how =
    ask.outcome === 'gone'
      ? 'nobody waits for it any more'
      : `it was answered by ${ask.answeredBy === 'screen' ? 'somebody in the session itself' : (ask.answeredBy ?? 'somebody')}: ${ask.reply ?? ''}`
  return new ConflictError(`${ask.shownId} is closed: ${how}`, {
    code: ask.outcome === 'gone' ? 'ask-gone' : 'ask-closed',
    hint: 'gt asks',
    details: { ask: ask.id, outcome: ask.outcome ?? null, reply: ask.reply ?? null },
  })
}

const RING_AGAIN_MS = 2_000
const POLL_MS = 50

async function untilProven(town: Town, id: string, timeoutMs: number): Promise<Ask> {
  const deadline = town.clock.now() + timeoutMs
  let nextRing = 0
  for (;;) {
    const ask = getAsk(town.ledger.read(), id)
    if (ask.status === 'closed') {
      if (tookAnswer(ask)) return ask
      throw closedError(ask)
    }
    const now = town.clock.now()
    if (now >= deadline) throw notProven(ask, timeoutMs)
    // A bell may ring while its plugin is just starting.
    if (now >= nextRing) {
      town.host.ringBell(ask.agent)
      nextRing = now + RING_AGAIN_MS
    }
    await town.clock.sleep(POLL_MS)
  }
}

function notProven(ask: Ask, timeoutMs: number): TimeoutError {
  return new TimeoutError(
    `the answer to ${ask.shownId} is recorded, but ${ask.agent} did not confirm it within ${Math.round(timeoutMs / 1_000)} s; it is given as soon as the session takes it`,
    {
      code: 'answer-not-proven',
      hint: `look: gt peek ${ask.agent} · gt asks`,
      details: { ask: ask.id, agent: ask.agent, title: askTitle(ask) },
    },
  )
}

export function answerText(answer: AskAnswer | undefined): string {
  if (answer === undefined) return ''
  if (answer.answers) return answer.answers.map((list) => list.join(', ')).join(' · ')
  const words = { once: 'allow', always: 'always', reject: 'deny' } as const
  return `${words[answer.reply ?? 'reject']}${answer.message === undefined ? '' : ` (${answer.message})`}`
}

/**
 * Answers what is over its deadline and rings for it. Any command does this, because nothing runs in the background; it
 * costs one count when nothing waits.
 * @returns how many
 */
export function expireAsks(town: Town): number {
  const view = town.ledger.read()
  if (view.count({ kind: 'ask', status: 'open' }) === 0) return 0
  if (deadlineOps(town, view, openAsks(view)).due.length === 0) return 0
  const { due } = town.ledger.transact(town.actor, (now) => deadlineOps(town, now, openAsks(now)))
  for (const agent of new Set(due.map((ask) => ask.agent))) town.host.ringBell(agent)
  return due.length
}

/** All of them, or those that are not closed; oldest first. */
export function listAsks(town: Town, all: boolean): Ask[] {
  const view = town.ledger.read()
  return all ? view.list({ kind: 'ask' }).map(askFrom) : openAsks(view)
}
