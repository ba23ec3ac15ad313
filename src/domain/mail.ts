import { oneOf, text } from './fields.js'
import { type AgentId, HUMAN } from './ids.js'
import type { Entity } from './record.js'

/** `unread → shown` (put before an agent, once, by the process that won the move) `→ read` (opened on purpose) → archived. */
export const MAIL_STATUSES = ['unread', 'shown', 'read', 'archived'] as const
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
  /** Key of the mail that this one answers. */
  inReplyTo?: string
  /** Key of the first mail of the conversation. */
  thread: string
  sentAt: string
}

export function mailFrom(entity: Entity): Mail {
  const inReplyTo = text(entity, 'in_reply_to')
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    from: (text(entity, 'from') ?? entity.createdBy) as AgentId,
    to: (text(entity, 'assignee') ?? '') as AgentId,
    subject: text(entity, 'subject') ?? '',
    body: text(entity, 'body') ?? '',
    status: oneOf(entity, 'status', MAIL_STATUSES) ?? 'unread',
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
    thread: text(entity, 'thread') ?? entity.id,
    sentAt: entity.createdAt,
  }
}

/** gt itself and the merge queue read no mail. */
export function canBeAnswered(mail: Mail): boolean {
  return mail.from === HUMAN || mail.from.includes('/')
}
