import { UsageError } from '../domain/errors.js'
import type { Entity, Fields, Json, Op } from '../domain/record.js'
import { planReport, type Report } from '../domain/report.js'
import { usageMessages } from '../domain/usage.js'
import type { View } from '../ports/ledger.js'
import { planUsage } from './record-usage.js'
import { receiptOps } from './send-mail.js'
import type { Town } from './town.js'

/**
 * Takes what an agent's plugin reports, one JSON object per line: all of it becomes one record.
 * @param sessionKey - GT_SESSION of the caller; its session record is the one that changes
 * @throws UsageError code `bad-report` naming the line; nothing is recorded then
 */
export function reportEvents(
  town: Town,
  sessionKey: string | undefined,
  lines: string,
): { recorded: number } {
  const reports = lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseReport)
  if (reports.length === 0) return { recorded: 0 }
  town.ledger.transact(town.actor, (view) => {
    const session = sessionKey === undefined ? undefined : view.get(sessionKey)
    const known = session?.kind === 'session' && session.fields.agent === town.actor ? session : undefined
    return { ops: planOps(town, view, known, reports) }
  })
  return { recorded: reports.length }
}

function planOps(town: Town, view: View, session: Entity | undefined, reports: readonly Report[]): Op[] {
  const now = new Date(town.clock.now()).toISOString()
  const ops: Op[] = []
  let fields: Fields = {}
  const moved = new Set<string>()
  for (const report of reports) {
    const plan = planReport(report, now)
    fields = { ...fields, ...plan.fields }
    ops.push(...mailOpsOf(view, town.actor, report).filter((op) => isFirst(op, moved)))
    // An account of its own: its event is the sum.
    if (report.type === 'usage' && session !== undefined) continue
    ops.push({
      o: 'ev',
      type: report.type,
      data: { agent: town.actor, ...(session === undefined ? {} : { session: session.id }), ...plan.data },
    })
  }
  if (session === undefined) return ops
  const messages = reports.flatMap((report) => (report.type === 'usage' ? usageMessages(report.data) : []))
  const usage = planUsage(view, session, beadOf(town, view), messages)
  fields = { ...fields, ...usage.fields }
  if (session.fields.heard_at === undefined) fields.heard_at = now
  if (Object.keys(fields).length > 0) ops.unshift({ o: 'set', id: session.id, f: fields })
  return [...ops, ...usage.ops]
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

function parseReport(line: string, index: number): Report {
  const bad = (why: string): never => {
    throw new UsageError(`line ${index + 1} of the report ${why}`, {
      code: 'bad-report',
      hint: '{"type":"session.idle","at":"…","session":"ses_…"}',
    })
  }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return bad('is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad('is not an object')
  const { type, ...data } = value as Record<string, Json>
  if (typeof type !== 'string' || !/^[a-z]+(?:\.[a-z]+)*$/.test(type))
    return bad('has no type like "session.idle"')
  return { type, data }
}
