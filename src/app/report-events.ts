import { type Ask, askTitle } from '../domain/ask.js'
import { parseReports } from '../domain/parse-report.js'
import type { Entity, Fields, Op } from '../domain/record.js'
import { planReport, type Report } from '../domain/report.js'
import { usageMessages } from '../domain/usage.js'
import type { View } from '../ports/ledger.js'
import { expireAsks } from './answer-ask.js'
import { planUsage } from './record-usage.js'
import { receiptOps } from './send-mail.js'
import type { Town } from './town.js'
import { type OpenAsk, openAskOf, trackAsks } from './track-asks.js'

export interface Reported {
  recorded: number
  /** What the session waits for now, with the answers that are to be given to it. */
  asks: OpenAsk[]
}

/**
 * Takes what an agent's plugin reports, one JSON object per line: all of it becomes one record. Without a line it only says
 * what the session waits for.
 * @param sessionKey - GT_SESSION of the caller; its session record is the one that changes
 * @throws UsageError code `bad-report` naming the line; nothing is recorded then
 */
export function reportEvents(town: Town, sessionKey: string | undefined, lines: string): Reported {
  const reports = parseReports(lines)
  expireAsks(town)
  const { asks } = town.ledger.transact(town.actor, (view) => {
    const session = sessionKey === undefined ? undefined : view.get(sessionKey)
    const known = session?.kind === 'session' && session.fields.agent === town.actor ? session : undefined
    return known
      ? planSession(town, view, known, reports)
      : { ops: feedOps(town, view, undefined, reports), asks: [] }
  })
  return { recorded: reports.length, asks: asks.map(openAskOf) }
}

interface Plan {
  ops: Op[]
  asks: Ask[]
}

function planSession(town: Town, view: View, session: Entity, reports: readonly Report[]): Plan {
  const bead = beadOf(town, view)
  const tracker = trackAsks(town, view, session, bead)
  for (const report of reports) tracker.take(report)
  const asks = tracker.open()
  if (reports.length === 0) return { ops: [], asks }

  const now = new Date(town.clock.now()).toISOString()
  const messages = reports.flatMap((report) => (report.type === 'usage' ? usageMessages(report.data) : []))
  const usage = planUsage(view, session, bead, messages)
  let fields: Fields = usage.fields
  for (const report of reports) fields = { ...fields, ...planReport(report, now).fields }
  fields = { ...fields, ...waitingFields(session, fields, asks, now) }
  if (session.fields.heard_at === undefined) fields.heard_at = now
  const change: Op[] = Object.keys(fields).length > 0 ? [{ o: 'set', id: session.id, f: fields }] : []
  return { ops: [...change, ...feedOps(town, view, session, reports), ...tracker.ops(), ...usage.ops], asks }
}

/** A session that waits for a person is never idle and never at work, whatever else was said of it. */
function waitingFields(session: Entity, fields: Fields, asks: readonly Ask[], now: string): Fields {
  const [oldest] = asks
  if (oldest) {
    const reason = `${oldest.kind}${oldest.isSubagent ? ' (of a subagent)' : ''}: ${askTitle(oldest)}`
    const more = asks.length > 1 ? ` and ${asks.length - 1} more` : ''
    const since = session.fields.state === 'waiting' ? (session.fields.state_at ?? now) : now
    return { state: 'waiting', state_at: since, reason: `${reason.slice(0, 200)}${more}` }
  }
  const isWaiting = (fields.state ?? session.fields.state) === 'waiting'
  return isWaiting ? { state: 'working', state_at: now, reason: null } : {}
}

/** What the feed gets, and the receipts of mail. */
function feedOps(town: Town, view: View, session: Entity | undefined, reports: readonly Report[]): Op[] {
  const now = new Date(town.clock.now()).toISOString()
  const moved = new Set<string>()
  return reports.flatMap((report) => {
    const receipts = mailOpsOf(view, town.actor, report).filter((op) => isFirst(op, moved))
    // The accounts say it, and one event for the sum of a turn.
    if (report.type === 'usage' && session !== undefined) return receipts
    const data = { agent: town.actor, ...(session === undefined ? {} : { session: session.id }) }
    return [...receipts, { o: 'ev', type: report.type, data: { ...data, ...planReport(report, now).data } }]
  })
}

/** Mail in a user message of the conversation has arrived. */
function mailOpsOf(view: View, owner: string, { type, data }: Report): Op[] {
  const ids = Array.isArray(data.mails) ? data.mails.filter((id) => typeof id === 'string') : []
  if (type === 'message.seen' || type === 'mail.seen') return receiptOps(view, owner, ids, 'shown')
  return type === 'mail.returned' ? receiptOps(view, owner, ids, 'unread') : []
}

/** One record moves an entity once: of two receipts in it the first counts. */
function isFirst(op: Op, moved: Set<string>): boolean {
  if (op.o !== 'move') return true
  const isNew = !moved.has(op.id)
  moved.add(op.id)
  return isNew
}

/** The bead its agent works on; when it has let go of it already, the one its session was started for. */
function beadOf(town: Town, view: View): string {
  const hook = view.get(town.actor)?.fields.hook
  return typeof hook === 'string' ? hook : (town.env.GT_BEAD ?? '')
}
