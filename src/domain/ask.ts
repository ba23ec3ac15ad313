import { object, oneOf, text } from './fields.js'
import type { Entity, Fields, Json } from './record.js'
import { redact } from './redact.js'

/**
 * Something that waits for a person: a permission or a question of an agent's program.
 *
 *   open → answered → closed      answered: by a person, a policy or the deadline; not yet proven to have arrived
 *     └──────────────→ closed     closed: the program said that it has an answer (perhaps given on its own screen), or
 *                                 that nobody waits any more
 */
export const ASK_STATUSES = ['open', 'answered', 'closed'] as const
export type AskStatus = (typeof ASK_STATUSES)[number]

export type AskKind = 'permission' | 'question'

/** As the program wants it. */
export interface AskAnswer {
  /** For a permission. */
  reply?: 'once' | 'always' | 'reject'
  /** Goes to the model with a `reject`, so that its turn goes on. */
  message?: string
  /** For questions: the chosen labels, or own words, for each. */
  answers?: string[][]
}

/** What became of it: the program took an answer, or it stopped waiting. */
export type AskOutcome = 'replied' | 'gone'

export interface Ask {
  id: string
  shownId: string
  generation: number
  agent: string
  /** Key of the session of gt. */
  session: string
  /** The program's own conversation: the agent's or a subagent's. */
  conversation: string
  isSubagent: boolean
  kind: AskKind
  /** The program's own id of it. */
  request: string
  /** Tool or kind of permission: `bash`, `edit`, `external_directory`, `question`. */
  tool: string
  patterns: string[]
  /** What `always` would allow from then on, in that session. */
  always: string[]
  /** The command, file or change it is about. */
  context: string
  questions: string[]
  options: string[][]
  /** More was asked than is kept of it. */
  isCut?: boolean
  bead?: string
  status: AskStatus
  /** ISO; when it is answered by itself. */
  deadlineAt?: string
  answer?: AskAnswer
  /** `human`, an agent, `policy 2`, `deadline`, or `screen`: somebody answered in the program itself. */
  answeredBy?: string
  outcome?: AskOutcome
  /** What the program said it was answered with. */
  reply?: string
  createdAt: string
  closedAt?: string
}

export function askFrom(entity: Entity): Ask {
  const optional = (field: string, as: string) => {
    const value = text(entity, field)
    return value === undefined ? {} : { [as]: value }
  }
  const answer = object(entity, 'answer')
  const outcome = oneOf(entity, 'outcome', ['replied', 'gone'] as const)
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    agent: text(entity, 'assignee') ?? '',
    session: text(entity, 'session') ?? '',
    conversation: text(entity, 'conversation') ?? '',
    isSubagent: entity.fields.child === true,
    kind: oneOf(entity, 'kind', ['permission', 'question'] as const) ?? 'permission',
    request: text(entity, 'request') ?? '',
    tool: text(entity, 'tool') ?? '',
    patterns: words(entity.fields.patterns),
    always: words(entity.fields.always),
    context: text(entity, 'context') ?? '',
    questions: words(entity.fields.questions),
    options: lists(entity.fields.options),
    ...(entity.fields.cut === true ? { isCut: true } : {}),
    status: oneOf(entity, 'status', ASK_STATUSES) ?? 'open',
    ...optional('bead', 'bead'),
    ...optional('deadline_at', 'deadlineAt'),
    ...(answer === undefined ? {} : { answer: answerFrom(answer) }),
    ...optional('answered_by', 'answeredBy'),
    ...(outcome === undefined ? {} : { outcome }),
    ...optional('reply', 'reply'),
    createdAt: entity.createdAt,
    ...optional('closed_at', 'closedAt'),
  }
}

function answerFrom({ reply, message, answers }: Record<string, Json>): AskAnswer {
  return {
    ...(reply === 'once' || reply === 'always' || reply === 'reject' ? { reply } : {}),
    ...(typeof message === 'string' ? { message } : {}),
    ...(answers === undefined ? {} : { answers: lists(answers) }),
  }
}

function words(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : []
}

function lists(value: Json | undefined): string[][] {
  return Array.isArray(value) ? value.map((list) => words(list)) : []
}

/** A plugin may report anything; the store takes so much of it. */
const MAX_WORDS = 20
const MAX_TEXT = 1_500
const MAX_WORD = 500

/** The ask as the program put it: nothing cut off, nothing left out. Never kept. */
export function wholeAsk(ask: Ask, data: Fields): Ask {
  return {
    ...ask,
    patterns: words(data.patterns),
    questions: words(data.questions),
    context: typeof data.context === 'string' ? data.context : '',
  }
}

function isCut(data: Fields): boolean {
  const lists = [data.patterns, data.always, data.questions].map((list) => words(list))
  const texts = lists.some((list) => list.length > MAX_WORDS || list.some((word) => word.length > MAX_WORD))
  return texts || (typeof data.context === 'string' && data.context.length >= MAX_TEXT)
}

/** The registers of a new ask from what a plugin reported of it; undefined when it cannot be answered. */
export function askFields(kind: AskKind, data: Fields): Fields | undefined {
  const { id, permission, session, childSession } = data
  const conversation = childSession ?? session
  if (typeof id !== 'string' || typeof conversation !== 'string') return undefined
  const short = (value: Json | undefined) =>
    words(value)
      .slice(0, MAX_WORDS)
      .map((word) => redact(word).slice(0, MAX_WORD))
  return {
    kind,
    request: id,
    conversation,
    child: data.child === true,
    tool:
      kind === 'question' ? 'question' : typeof permission === 'string' ? permission.slice(0, 100) : 'tool',
    patterns: short(data.patterns),
    always: short(data.always),
    context: typeof data.context === 'string' ? redact(data.context).slice(0, MAX_TEXT) : '',
    questions: short(data.questions),
    ...(isCut(data) ? { cut: true } : {}),
    options: lists(data.options)
      .slice(0, MAX_WORDS)
      .map((list) => list.slice(0, MAX_WORDS).map((word) => word.slice(0, 200))),
  }
}

/** One line: what is asked. */
export function askTitle(
  ask: Pick<Ask, 'kind' | 'tool' | 'patterns' | 'questions' | 'context' | 'isCut'>,
): string {
  if (ask.kind === 'question') return ask.questions.join(' · ')
  const about = ask.patterns.length > 0 ? ask.patterns.join(', ') : (ask.context.split('\n', 1)[0] ?? '')
  const more = ask.isCut === true ? ' … (more than is shown: look at its screen before you allow it)' : ''
  return `${ask.tool}: ${about}${more}`.replace(/\s+/g, ' ')
}

/** Whether the program took what was answered, and not what somebody else answered before. */
export function tookAnswer(ask: Ask): boolean {
  if (ask.outcome !== 'replied' || ask.answer === undefined) return false
  const { reply, answers } = ask.answer
  return reply === undefined ? sameAnswers(ask.reply, answers) : ask.reply === reply
}

function sameAnswers(reply: string | undefined, answers: string[][] | undefined): boolean {
  return reply === undefined || reply === JSON.stringify(answers ?? [])
}
