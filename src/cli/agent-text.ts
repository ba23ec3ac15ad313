import type { AgentView, TownView } from '../app/town-view.js'
import type { TownEvent } from '../domain/record.js'
import { STATE_GLYPHS } from '../domain/session.js'
import { age, plain, table } from './table.js'

/** Whether the terminal can show more than ASCII. */
export function hasUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return /utf-?8/i.test(locale) && env.TERM !== 'linux'
}

export function agentRows(view: TownView, unicode: boolean): string[] {
  const now = Date.parse(view.at)
  const rows = view.agents.map((agent) => [
    `${STATE_GLYPHS[agent.state][unicode ? 0 : 1]} ${agent.state}`,
    agent.id,
    agent.runtime,
    agent.bead?.id ?? '-',
    age(agent.since, now),
    plain(
      [agent.bead?.title ?? '', agent.detail === '' ? '' : `(${agent.detail})`]
        .filter((part) => part !== '')
        .join(' '),
      100,
    ),
  ])
  return table(rows, ['STATE', 'AGENT', 'RUNTIME', 'BEAD', 'AGE', 'WHAT'])
}

export function agentText(
  agent: AgentView,
  events: readonly TownEvent[],
  screen: readonly string[],
): string[] {
  return [
    `${agent.id}  ${agent.state}${agent.detail === '' ? '' : `: ${plain(agent.detail, 300)}`}`,
    `  ${agent.role} on ${agent.runtime} (${agent.backend}${agent.location === '' ? '' : `, ${agent.location}`})`,
    ...(agent.bead === undefined
      ? ['  nothing on its hook']
      : [`  bead ${agent.bead.id} (${agent.bead.status}): ${plain(agent.bead.title, 200)}`]),
    ...(agent.branch === undefined ? [] : [`  branch ${agent.branch}`]),
    ...(agent.worktree === undefined ? [] : [`  worktree ${agent.worktree}`]),
    ...(agent.conversation === undefined ? [] : [`  conversation ${agent.conversation}`]),
    ...(agent.tokens === 0 ? [] : [`  ${agent.tokens} tokens, $${agent.costUsd.toFixed(4)}`]),
    ...(agent.unreadMail === 0 ? [] : [`  ${agent.unreadMail} unread mails`]),
    ...(events.length === 0
      ? []
      : [
          '',
          'last events:',
          ...events.map((event) => `  ${event.at}  ${event.type}  ${plain(eventDetail(event), 120)}`),
        ]),
    ...(screen.length === 0 ? [] : ['', 'screen of its last session:', ...screen.map((line) => `  ${line}`)]),
  ]
}

export function eventDetail(event: TownEvent): string {
  const { agent: _agent, session: _session, ...rest } = event.data
  return Object.entries(rest)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
