import type { AgentView } from '../../app/town-view.js'
import type { DiffStat } from '../dashboard-source.js'
import { formatCount, formatDiff, plural } from '../format.js'
import type { Preview } from '../hooks/use-preview.js'
import { type Line, parseScreenLine, span } from '../line.js'
import { DIM, stateGlyph, stateStyle, type Theme } from '../theme.js'
import { Lines } from './lines.js'

interface AgentPanelProps {
  agent: AgentView
  diff: DiffStat | undefined
  /** Its screen. */
  lines: readonly Line[]
  width: number
  height: number
  theme: Theme
}

/** What is known of one agent, then the end of its screen. In a low panel the screen goes first. */
export function AgentPanel({ agent, diff, lines, width, height, theme }: AgentPanelProps) {
  const most = Math.max(agent.detail === '' || height < 4 ? 0 : 1, Math.floor((height - 4) / 3))
  const facts = agentFactLines(agent, diff, theme).slice(0, most)
  const rule: Line[] = facts.length < 2 ? [] : [[{ text: theme.glyphs.rule.repeat(width), style: DIM }]]
  const room = height - facts.length - rule.length
  return (
    <Lines lines={[...facts, ...rule, ...lines.slice(-room)]} width={width} height={height} theme={theme} />
  )
}

export function agentFactLines(agent: AgentView, diff: DiffStat | undefined, theme: Theme): Line[] {
  const gap = ` ${theme.glyphs.dot} `
  const bead = agent.bead && `${agent.bead.id} (${agent.bead.status.replace('_', ' ')}) ${agent.bead.title}`
  const work = [
    agent.branch,
    diff === undefined
      ? undefined
      : [plural(diff.commits, 'commit'), formatDiff(diff, theme)].filter(Boolean).join(' '),
    agent.tokens > 0 ? `${formatCount(agent.tokens)} tokens` : undefined,
    agent.costUsd > 0 ? `$${agent.costUsd.toFixed(2)}` : undefined,
    agent.unreadMail > 0 ? `${agent.unreadMail} unread mail` : undefined,
  ].filter((part) => part !== undefined && part !== '')
  const lines: Line[] = [
    [
      span(`${stateGlyph(agent.state, theme)} ${agent.state}`, stateStyle(agent.state)),
      span(agent.detail === '' ? '' : `: ${agent.detail}`),
    ],
    [span(bead ?? `no bead; role ${agent.role}`)],
  ]
  return work.length === 0 ? lines : [...lines, [span(work.join(gap), DIM)]]
}

/** Screen of an agent as safe lines, or the reason why there is none. */
export function previewLines(preview: Preview | undefined): Line[] {
  if (preview === undefined) return [[span('reading its screen', DIM)]]
  if (preview.error !== undefined) return [[span(`no screen: ${preview.error}`, DIM)]]
  const lines = preview.lines.map(parseScreenLine)
  while (lines.length > 0 && (lines.at(-1) ?? []).every((part) => part.text.trim() === '')) lines.pop()
  return lines.length === 0 ? [[span('its screen is empty', DIM)]] : lines
}
