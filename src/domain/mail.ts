import { oneOf, text } from './fields.js'
import { type AgentId, HUMAN } from './ids.js'
import type { Entity } from './record.js'

/**
 * `unread → handed` (to a program, by the process that won the move) `→ shown` (its conversation holds it: the program said
 * so) `→ read` (opened on purpose) → archived. What is printed for an agent or a person is shown at once.
 */
export const MAIL_STATUSES = ['unread', 'handed', 'shown', 'read', 'archived'] as const
export type MailStatus = (typeof MAIL_STATUSES)[number]

export interface Mail {
  id: string
  shownId: string
  generation: number
  from: AgentId
  to: AgentId
  subject: string
  body: string
  status: MailStatus
  /** To which session of gt it was handed last, and when. */
  handedTo?: string
  handedAt?: string
  /** Key of the mail that this one answers. */
  inReplyTo?: string
  /** Key of the first mail of the conversation. */
  thread: string
  sentAt: string
}

export function mailFrom(entity: Entity): Mail {
  const inReplyTo = text(entity, 'in_reply_to')
  const handedTo = text(entity, 'handed_to')
  const handedAt = text(entity, 'handed_at')
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    from: (text(entity, 'from') ?? entity.createdBy) as AgentId,
    to: (text(entity, 'assignee') ?? '') as AgentId,
    subject: text(entity, 'subject') ?? '',
    body: text(entity, 'body') ?? '',
    status: oneOf(entity, 'status', MAIL_STATUSES) ?? 'unread',
    ...(handedTo === undefined ? {} : { handedTo }),
    ...(handedAt === undefined ? {} : { handedAt }),
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
    thread: text(entity, 'thread') ?? entity.id,
    sentAt: entity.createdAt,
  }
}

/** Longer than a program tries to bring a mail in. */
export const HANDED_FOR_MS = 120_000

/**
 * Whether it is to be handed out to `session`. One that was handed out and never seen is, when whoever had it is another
 * session (it crashed) or had long enough.
 */
export function isDeliverable(mail: Mail, session: string, nowMs: number): boolean {
  if (mail.status === 'unread') return true
  if (mail.status !== 'handed') return false
  const age = nowMs - Date.parse(mail.handedAt ?? '')
  return mail.handedTo !== session || !(age < HANDED_FOR_MS)
}

/** gt itself and the merge queue read no mail. */
export function canBeAnswered(mail: Mail): boolean {
  return mail.from === HUMAN || mail.from.includes('/')
}
