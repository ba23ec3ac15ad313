import { answerText } from '../app/answer-ask.js'
import { type Ask, askTitle } from '../domain/ask.js'
import { age, plain, plainLines, table } from './table.js'

export function askRows(
  asks: readonly Ask[],
  nowMs: number,
  unreachable: ReadonlySet<string> = new Set(),
): string[] {
  const rows = asks.map((ask) => [
    ask.shownId,
    unreachable.has(ask.agent) && ask.status !== 'closed' ? 'dead' : ask.status,
    age(ask.createdAt, nowMs),
    ask.agent,
    ask.bead ?? '-',
    plain(whatText(ask, nowMs), 120),
  ])
  return table(rows, ['ASK', 'STATUS', 'AGE', 'AGENT', 'BEAD', 'WHAT'])
}

function whatText(ask: Ask, nowMs: number): string {
  const title = `${askTitle(ask)}${ask.isSubagent ? ' (a subagent)' : ''}`
  if (ask.status === 'closed') {
    if (ask.outcome === 'gone') return `${title} · nobody waits any more`
    const said = ask.answeredBy === 'screen' ? (ask.reply ?? '') : answerText(ask.answer)
    return `${title} · ${ask.answeredBy === 'screen' ? 'on its screen' : ask.answeredBy}: ${said}`
  }
  if (ask.status === 'answered')
    return `${title} · ${ask.answeredBy}: ${answerText(ask.answer)}, not confirmed yet`
  return ask.deadlineAt === undefined ? title : `${title} · ${untilText(ask.deadlineAt, nowMs)}`
}

function untilText(at: string, nowMs: number): string {
  const left = Date.parse(at) - nowMs
  return left <= 0 ? 'over its deadline' : `${age(new Date(nowMs - left).toISOString(), nowMs)} left`
}

/** All that helps to decide. */
export function askText(ask: Ask, nowMs: number, unreachable: ReadonlySet<string>): string[] {
  const [options] = ask.options
  return [
    ...askRows([ask], nowMs, unreachable).slice(1),
    ...(ask.patterns.length > 1 ? ask.patterns.map((pattern) => `  ${plain(pattern, 200)}`) : []),
    ...(ask.context === '' || ask.context === ask.patterns[0]
      ? []
      : plainLines(ask.context)
          .split('\n')
          .slice(0, 20)
          .map((line) => `  | ${line}`)),
    ...(ask.always.length === 0 ? [] : [`  always = ${plain(ask.always.join(', '), 160)}`]),
    ...(options === undefined || options.length === 0
      ? []
      : [`  choose: ${options.map((label, i) => `${i + 1} ${plain(label, 60)}`).join(' · ')}`]),
  ]
}
