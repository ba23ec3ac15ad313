import { number } from '../domain/fields.js'
import type { Entity, Fields, Op } from '../domain/record.js'
import {
  addToRows,
  type CountedMarks,
  joinMarks,
  marksFrom,
  money,
  rowsToJson,
  takeUncounted,
  tokenSum,
  type UsageMessage,
  usageAccountFrom,
  usageAccountId,
} from '../domain/usage.js'
import type { View } from '../ports/ledger.js'

export interface UsagePlan {
  /** Registers of the session. */
  fields: Fields
  ops: Op[]
}

/**
 * Adds what was reported to the accounts of a session, each message once however often it is reported. The move of the
 * account makes the record void when another process counted meanwhile, so nothing is added twice and nothing lost.
 * @param bead - key of the bead it was spent on; empty for none
 */
export function planUsage(
  view: View,
  session: Entity,
  bead: string,
  reported: readonly UsageMessage[],
): UsagePlan {
  if (reported.length === 0) return { fields: {}, ops: [] }
  const { fresh, marks } = takeUncounted(marksOf(view, session), reported)
  if (fresh.length === 0) return { fields: {}, ops: [] }
  const agent = view.get(String(session.fields.agent))
  const costUsd = money(fresh.reduce((sum, message) => sum + message.costUsd, 0))
  const tokens = fresh.reduce((sum, message) => sum + tokenSum(message.tokens), 0)
  const ops: Op[] = []
  for (const [day, messages] of byDay(fresh)) {
    const id = usageAccountId(session.id, day)
    const entity = view.get(id)
    if (entity === undefined) {
      const rows = rowsToJson(addToRows([], bead, messages))
      const fields = { agent: String(session.fields.agent), session: session.id, day, rows }
      const { role = 'polecat', rig = '' } = agent?.fields ?? {}
      ops.push({ o: 'new', id, k: 'usage', f: { ...fields, role, rig } })
    } else {
      const rows = rowsToJson(addToRows(usageAccountFrom(entity).rows, bead, messages))
      ops.push({ o: 'move', id, gen: entity.generation + 1, f: { rows } })
    }
  }
  ops.push({
    o: 'ev',
    type: 'usage',
    data: {
      agent: String(session.fields.agent),
      session: session.id,
      bead,
      tokens,
      cost: costUsd,
      messages: fresh.length,
    },
  })
  return {
    fields: {
      counted: { floor: marks.floor, upTo: marks.upTo },
      cost_usd: money((number(session, 'cost_usd') ?? 0) + costUsd),
      tokens: (number(session, 'tokens') ?? 0) + tokens,
    },
    ops,
  }
}

/** Of a session that counts for the first time: what those before it counted. */
function marksOf(view: View, session: Entity): CountedMarks {
  if (session.fields.counted !== undefined) return marksFrom(session.fields.counted)
  const sessions = view.list({ kind: 'session', assignee: String(session.fields.agent) })
  return joinMarks(sessions.map(({ fields }) => marksFrom(fields.counted)))
}

function byDay(messages: readonly UsageMessage[]): Map<string, UsageMessage[]> {
  const days = new Map<string, UsageMessage[]>()
  for (const message of messages) {
    const day = new Date(Math.min(message.doneAtMs, LATEST_DATE_MS)).toISOString().slice(0, 10)
    days.set(day, [...(days.get(day) ?? []), message])
  }
  return days
}

/** Year 9999: later ones have no day of ten characters. */
const LATEST_DATE_MS = 253_402_300_799_999
