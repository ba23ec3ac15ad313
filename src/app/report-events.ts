import { UsageError } from '../domain/errors.js'
import { number } from '../domain/fields.js'
import type { Entity, Fields, Json, Op } from '../domain/record.js'
import { planReport, type Report } from '../domain/report.js'
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
    return { ops: planOps(town, known, reports) }
  })
  return { recorded: reports.length }
}

function planOps(town: Town, session: Entity | undefined, reports: readonly Report[]): Op[] {
  const now = new Date(town.clock.now()).toISOString()
  const ops: Op[] = []
  let fields: Fields = {}
  let cost = session === undefined ? 0 : (number(session, 'cost_usd') ?? 0)
  let tokens = session === undefined ? 0 : (number(session, 'tokens') ?? 0)
  const counted = countedMessages(session)
  for (const report of reports) {
    const message = report.type === 'usage' ? report.data.messageID : undefined
    // A batch that was retried after a time-out must not cost twice.
    if (typeof message === 'string' && counted.includes(message)) continue
    if (typeof message === 'string') counted.push(message)
    const plan = planReport(report, now)
    fields = { ...fields, ...plan.fields }
    cost += plan.costUsd
    tokens += plan.tokens
    ops.push({
      o: 'ev',
      type: report.type,
      data: { agent: town.actor, ...(session === undefined ? {} : { session: session.id }), ...plan.data },
    })
  }
  if (session === undefined) return ops
  if (cost !== (number(session, 'cost_usd') ?? 0)) fields.cost_usd = Math.round(cost * 1e6) / 1e6
  if (tokens !== (number(session, 'tokens') ?? 0)) fields.tokens = tokens
  if (counted.length > countedMessages(session).length) fields.counted = counted.slice(-MAX_COUNTED)
  if (session.fields.heard_at === undefined) fields.heard_at = now
  if (Object.keys(fields).length > 0) ops.unshift({ o: 'set', id: session.id, f: fields })
  return ops
}

/** As many as one batch may hold and be sent again. */
const MAX_COUNTED = 40

function countedMessages(session: Entity | undefined): Json[] {
  const counted = session?.fields.counted
  return Array.isArray(counted) ? [...counted] : []
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
