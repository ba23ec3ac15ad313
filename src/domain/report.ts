import type { Fields, Json } from './record.js'
import type { ReportedState } from './session.js'
import { endedTurn, readError, readRetry } from './turn-end.js'

/** One line that an agent's plugin reports. */
export interface Report {
  type: string
  data: Record<string, Json>
}

export interface ReportPlan {
  /** Registers of the session that change. */
  fields: Fields
  /** What the event in the feed holds. */
  data: Fields
}

/** What a report means for its session. */
export function planReport(report: Report, now: string): ReportPlan {
  const plan: ReportPlan = { fields: {}, data: limitSize(feedData(report)) }
  const at = typeof report.data.at === 'string' ? report.data.at : now
  const enter = (state: ReportedState, reason: string | null = null) => {
    plan.fields = { ...plan.fields, state, state_at: at, reason }
  }
  const child = report.data.child === true
  switch (report.type) {
    case 'session.started':
      if (typeof report.data.session === 'string') plan.fields.conversation = report.data.session
      enter('idle')
      break
    case 'session.busy':
    case 'permission.replied':
    case 'question.replied':
      enter('working')
      break
    case 'session.idle':
      plan.fields = { ...plan.fields, ...endedTurn(report.data, at) }
      break
    case 'session.stalled':
      enter('stalled', `nothing has happened since ${text(report.data.since)}`)
      break
    case 'session.compacted':
      enter('working')
      break
    case 'session.error': {
      const error = readError(report.data)
      plan.fields = { last_error: error.reason }
      // opencode compacts the conversation by itself and goes on.
      if (error.kind === 'overflow') enter('working', 'context overflow: the conversation is being compacted')
      break
    }
    case 'session.retry': {
      const retry = readRetry(report.data, now)
      enter(retry.until === undefined ? 'working' : 'limited', retry.reason)
      if (retry.until !== undefined) plan.fields.limited_until = retry.until
      break
    }
    case 'permission.asked':
      enter('waiting', `permission${child ? ' (of a subagent)' : ''}: ${text(report.data.permission)}`)
      break
    case 'question.asked':
      enter('waiting', 'question')
      break
  }
  return plan
}

/**
 * The newest failure in the file of a plugin that could not reach `gt report`. The file also holds the reports that were
 * lost, and perhaps a torn line.
 */
export function newestPluginError(lines: string): { at: string; message: string } | undefined {
  for (const line of lines.split('\n').reverse()) {
    try {
      const { type, at, message } = JSON.parse(line) as Record<string, unknown>
      if (type === 'plugin.error')
        return { at: String(at ?? ''), message: String(message ?? '').slice(0, 300) }
    } catch {
      // not a whole line
    }
  }
  return undefined
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value.replace(/\s+/g, ' ').slice(0, 300) : ''
}

/** What is asked is in the ask itself; the feed says that, and of what kind. */
function feedData({ type, data }: Report): Record<string, Json> {
  if (type !== 'permission.asked' && type !== 'question.asked') return data
  const { id, at, session, child = false, permission = 'question' } = data
  return { id: id ?? null, ...(at === undefined ? {} : { at }), session: session ?? null, child, permission }
}

/** A plugin may report anything; the feed takes no more than this of it. */
function limitSize(data: Record<string, Json>): Fields {
  const kept: Fields = {}
  for (const [key, value] of Object.entries(data)) {
    if (typeof value === 'string') kept[key] = value.slice(0, 2_000)
    else if (JSON.stringify(value).length <= 2_000) kept[key] = value
  }
  return kept
}
