import { UsageError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import { HUMAN } from '../domain/ids.js'
import { isDeliverable, type Mail, mailFrom } from '../domain/mail.js'
import type { Fields, Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { getAgent, getMail } from './find-entity.js'
import { newKey } from './new-key.js'
import type { Town } from './town.js'

export interface Letter {
  from: string
  to: string
  subject: string
  body: string
  inReplyTo?: string
  thread?: string
}

const MAX_SUBJECT = 300
/** Above it the store keeps the text in a file of its own; nobody reads a mail of that size. */
const MAX_BODY_BYTES = 1_048_576

/**
 * Durable when it returns. An agent that waits is woken; one that works gets it when its turn ends.
 * @param to - an agent as typed, or `human`
 * @throws NotFoundError for an unknown recipient, UsageError for an empty or too long letter
 */
export async function sendMail(
  town: Town,
  request: { to: string; subject: string; body: string; inReplyTo?: Mail },
  log: (line: string) => void = () => {},
): Promise<Mail> {
  const subject = request.subject.replace(/\s+/g, ' ').trim()
  if (subject === '')
    throw new UsageError('a mail needs a subject', {
      code: 'empty-subject',
      hint: 'gt mail send TO "subject" -m "text"',
    })
  if (subject.length > MAX_SUBJECT) {
    throw new UsageError(`the subject has ${subject.length} characters, at most ${MAX_SUBJECT} fit`, {
      code: 'long-subject',
      hint: 'put the rest into the text: -m "…"',
    })
  }
  if (Buffer.byteLength(request.body) > MAX_BODY_BYTES) {
    throw new UsageError(`the text has ${Buffer.byteLength(request.body)} bytes, at most 1 MiB fits`, {
      code: 'long-mail',
      hint: 'put it into a file and mail its path',
    })
  }
  const decision = town.ledger.transact(town.actor, (view) => {
    const to = resolveRecipient(view, request.to)
    return mailOps(town, view, {
      from: town.actor,
      to,
      subject,
      body: request.body,
      ...(request.inReplyTo === undefined
        ? {}
        : { inReplyTo: request.inReplyTo.id, thread: request.inReplyTo.thread }),
    })
  })
  town.step('mail.recorded')
  const mail = getMail(town.ledger.read(), decision.id)
  if (mail.to === HUMAN) return mail
  const { wakeAgent } = await import('./wake-agent.js')
  await wakeAgent(town, mail.to, `mail from ${mail.from}: ${mail.subject}`, log)
  return mail
}

/** The operations that put a letter into the mailbox, for records that hold one along with something else. */
export function mailOps(town: Town, view: View, letter: Letter): { id: string; ops: Op[] } {
  const { id, a } = newKey(town, view, 'm')
  const fields = given({
    from: letter.from,
    assignee: letter.to,
    subject: letter.subject,
    body: letter.body,
    status: 'unread',
    in_reply_to: letter.inReplyTo,
    thread: letter.thread,
  })
  return { id, ops: [{ o: 'new', id, k: 'mail', a, f: fields }] }
}

export function resolveRecipient(view: View, typed: string): string {
  return typed === HUMAN || typed === 'me' ? HUMAN : getAgent(view, typed).id
}

export interface InboxQuery {
  owner: string
  /** Read and archived ones too. */
  all?: boolean
}

/** Newest last. */
export function listMail(view: View, query: InboxQuery): Mail[] {
  const status = query.all ? undefined : [...UNSEEN, 'shown']
  return view
    .list({ kind: 'mail', assignee: query.owner, ...(status === undefined ? {} : { status }) })
    .map(mailFrom)
}

/** Opens a mail: it counts as read from now on. Reading twice is no error. */
export function readMail(town: Town, typed: string): Mail {
  const decision = town.ledger.transact(town.actor, (view) => {
    const mail = getMail(view, typed)
    if (mail.status === 'read' || mail.status === 'archived' || mail.to !== town.actor) return { id: mail.id }
    return {
      id: mail.id,
      ops: [{ o: 'move' as const, id: mail.id, gen: mail.generation + 1, f: { status: 'read' } }],
    }
  })
  return getMail(town.ledger.read(), decision.id)
}

/** Not before anybody's eyes yet. */
const UNSEEN = ['unread', 'handed'] as const

/** Mail that waits to be put before its agent. @param session - that the agent runs in now; empty outside of one */
export function waitingMail(town: Town, view: View, owner: string, session: string): Mail[] {
  const now = town.clock.now()
  return view
    .list({ kind: 'mail', assignee: owner, status: UNSEEN })
    .map(mailFrom)
    .filter((mail) => isDeliverable(mail, session, now))
}

/**
 * Takes the agent's new mail to put it before its model: only the process that won the move prints it.
 * @param untilSeen - it counts as shown when the session reports that its conversation holds it (`receiveMail`), and is
 *   handed out again when that never happens; without it, printing it is showing it
 */
export function takeUnreadMail(town: Town, owner: string, untilSeen = false): Mail[] {
  const session = town.env.GT_SESSION ?? ''
  const decision = town.ledger.transact(town.actor, (view) => {
    const mails = waitingMail(town, view, owner, session)
    const handed = { handed_to: session, handed_at: new Date(town.clock.now()).toISOString() }
    const f: Fields = untilSeen ? { status: 'handed', ...handed } : { status: 'shown' }
    return { mails, ops: mails.map((mail): Op => ({ o: 'move', id: mail.id, gen: mail.generation + 1, f })) }
  })
  return decision.mails
}

/** What becomes of mail that was handed out: the session has shown it, or gives it back. Saying it twice changes nothing. */
export function receiptOps(
  view: View,
  owner: string,
  ids: readonly string[],
  status: 'shown' | 'unread',
): Op[] {
  return ids.flatMap((id): Op[] => {
    const entity = view.get(id)
    if (entity?.kind !== 'mail') return []
    const mail = mailFrom(entity)
    if (mail.to !== owner || mail.status !== 'handed') return []
    return [{ o: 'move', id, gen: mail.generation + 1, f: { status } }]
  })
}

export function countUnread(view: View, owner: string): number {
  return view.count({ kind: 'mail', assignee: owner, status: UNSEEN })
}
