import {
  type Ask,
  type AskAnswer,
  askFields,
  askFrom,
  askTitle,
  tookAnswer,
  wholeAsk,
} from '../domain/ask.js'
import { answerOf } from '../domain/ask-answer.js'
import { policyAnswer } from '../domain/ask-policy.js'
import type { Entity, Fields, Op } from '../domain/record.js'
import type { Report } from '../domain/report.js'
import type { View } from '../ports/ledger.js'
import { newKey } from './new-key.js'
import { mailOps } from './send-mail.js'
import type { Town } from './town.js'

/** What the plugin is told of each ask that waits: the answer to give, or when to come back. */
export interface OpenAsk {
  request: string
  kind: Ask['kind']
  /** The program's conversation that asks. */
  session: string
  ask: string
  deadlineAt?: string
  answer?: AskAnswer
}

/** Asks of one session while its reports are gone through: what they were, and what they have become. */
interface Draft {
  ask: Ask
  /** Of a new one. */
  born?: { a: number; f: Fields }
  /** Registers that change. */
  move: Fields
}

export interface AskTracker {
  take(report: Report): void
  /** Those that are not closed, oldest first. */
  open(): Ask[]
  ops(): Op[]
}

export function openAsks(view: View, agent?: string): Ask[] {
  return view
    .list({ kind: 'ask', status: ['open', 'answered'], ...(agent === undefined ? {} : { assignee: agent }) })
    .map(askFrom)
}

/** Follows the asks of an agent through a batch of reports, so that the batch becomes one record. */
export function trackAsks(town: Town, view: View, session: Entity, bead: string): AskTracker {
  const agent = town.actor
  const drafts: Draft[] = openAsks(view, agent).map((ask) => ({ ask, move: {} }))
  const now = town.clock.now()
  const at = new Date(now).toISOString()
  const waiting = () => drafts.filter(({ ask, move }) => (move.status ?? ask.status) !== 'closed')
  const close = (draft: Draft | undefined, outcome: string, facts: Fields = {}) => {
    if (draft) Object.assign(draft.move, { status: 'closed', outcome, closed_at: at, ...facts })
  }
  const find = (request: unknown) => waiting().find(({ ask }) => ask.request === request)

  const asked = (kind: Ask['kind'], report: Report) => {
    const facts = askFields(kind, report.data)
    if (facts === undefined || drafts.some(({ ask }) => ask.request === facts.request)) return
    const { id, a } = newKey(town, view, 'q')
    const f: Fields = { ...facts, assignee: agent, session: session.id, status: 'open' }
    if (bead !== '') f.bead = bead
    if (town.config.asks.onDeadline !== 'wait')
      f.deadline_at = new Date(now + town.config.asks.deadlineMs).toISOString()
    const ask = askFrom({
      ...session,
      id,
      shownId: shown(id, a),
      kind: 'ask',
      generation: 1,
      fields: f,
      createdAt: at,
    })
    // Judged on all that was asked: what is kept of it is shortened, and its secrets are left out.
    const whole = wholeAsk(ask, report.data)
    const decided = policyAnswer(whole, town.config.asks.policies) ?? autonomousAnswer(town, whole)
    if (decided)
      Object.assign(f, { status: 'answered', answer: { ...decided.answer }, answered_by: decided.by })
    drafts.push({
      ask: {
        ...ask,
        ...(decided ? { status: 'answered', answer: decided.answer, answeredBy: decided.by } : {}),
      },
      born: { a, f },
      move: {},
    })
  }
  const replied = (request: unknown, reply: string) => {
    const draft = find(request)
    if (!draft) return
    // Somebody on the screen may have been faster than the answer that was underway.
    const isOurs = tookAnswer({ ...draft.ask, outcome: 'replied', reply })
    close(draft, 'replied', { reply, answered_by: isOurs ? (draft.ask.answeredBy ?? 'screen') : 'screen' })
  }

  return {
    take(report) {
      const { type, data } = report
      if (type === 'permission.asked') asked('permission', report)
      else if (type === 'question.asked') asked('question', report)
      else if (type === 'permission.replied') replied(data.id, String(data.reply ?? ''))
      else if (type === 'question.replied') replied(data.id, JSON.stringify(data.answers ?? []))
      else if (type === 'question.rejected') replied(data.id, 'rejected')
      else if (type === 'ask.gone') close(find(data.id), 'gone')
      // A turn that is over waits for nothing, and neither does a session that is no more.
      else if (type === 'session.idle') for (const draft of waiting()) close(draft, 'gone')
      else if (type === 'session.started') {
        for (const draft of waiting()) if (draft.ask.session !== session.id) close(draft, 'gone')
      }
    },
    open: () => waiting().flatMap(({ ask }) => (ask.session === session.id ? [ask] : [])),
    ops: () => drafts.flatMap(draftOps),
  }
}

/** A terminal program is started with its own flag for this; in a server nobody else would answer. */
function autonomousAnswer(town: Town, ask: Ask): { answer: AskAnswer; by: string } | undefined {
  const isAutonomous = town.env.GT_AUTONOMOUS === '1' && ask.kind === 'permission'
  return isAutonomous ? { answer: { reply: 'once' }, by: 'autonomous' } : undefined
}

function draftOps({ ask, born, move }: Draft): Op[] {
  const isMoved = Object.keys(move).length > 0
  // Asked and answered on the spot by the program itself, as one that allows everything does: nobody was asked.
  if (born && isMoved && ask.status === 'open') return []
  if (born) return [{ o: 'new', id: ask.id, k: 'ask', a: born.a, f: { ...born.f, ...move } }]
  return isMoved ? [{ o: 'move', id: ask.id, gen: ask.generation + 1, f: move }] : []
}

/** As the store shows a generated key. */
function shown(id: string, characters: number): string {
  return id.slice(0, id.lastIndexOf('-') + 1 + characters)
}

/** Its session has ended: nobody waits any more. */
export function closeAsksOps(view: View, agent: string, at: string): Op[] {
  return openAsks(view, agent).map((ask) => ({
    o: 'move',
    id: ask.id,
    gen: ask.generation + 1,
    f: { status: 'closed', outcome: 'gone', closed_at: at },
  }))
}

export function openAskOf(ask: Ask): OpenAsk {
  const { id, request, kind, conversation, deadlineAt, answer } = ask
  return {
    request,
    kind,
    session: conversation,
    ask: id,
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
    ...(answer === undefined ? {} : { answer }),
  }
}

/**
 * Answers what nobody answered in time, as town.toml says, and tells the agent. In the record of whoever finds it: the
 * plugin, which has a timer, or any command.
 */
export function deadlineOps(town: Town, view: View, asks: readonly Ask[]): { ops: Op[]; due: Ask[] } {
  const { onDeadline } = town.config.asks
  const now = town.clock.now()
  const due = asks.filter(
    ({ status, deadlineAt }) =>
      status === 'open' && deadlineAt !== undefined && Date.parse(deadlineAt) <= now,
  )
  if (onDeadline === 'wait') return { ops: [], due: [] }
  const ops = due.flatMap((ask) => {
    const answer = deadlineAnswer(ask, onDeadline)
    const title = askTitle(ask).slice(0, 200)
    const word = onDeadline === 'allow' && ask.kind === 'permission' ? 'allowed' : 'denied'
    return [
      {
        o: 'move',
        id: ask.id,
        gen: ask.generation + 1,
        f: { status: 'answered', answer: { ...answer }, answered_by: 'deadline' },
      },
      {
        o: 'ev',
        type: 'ask.answered',
        data: { agent: ask.agent, ask: ask.id, by: 'deadline', answer: { ...answer } },
      },
      ...mailOps(town, view, {
        from: 'gt',
        to: ask.agent,
        subject: `nobody answered in time, ${word}: ${title}`,
        body: `Your request ${ask.shownId} (${title}) was ${word} because nobody answered it in time. If you cannot do without it: gt mail send human "subject" -m "what you need"`,
      }).ops,
    ] satisfies Op[]
  })
  return { ops, due }
}

function deadlineAnswer(ask: Ask, onDeadline: 'deny' | 'allow'): AskAnswer {
  if (onDeadline === 'allow' && ask.kind === 'permission') return { reply: 'once' }
  const why = 'nobody answered in time; go on without it, or another way'
  return ask.kind === 'permission'
    ? { reply: 'reject', message: why }
    : answerOf(ask, ['deny'], 'the deadline')
}
