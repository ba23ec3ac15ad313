import type { AgentView } from '../../app/town-view.js'
import { cellWidth } from '../cells.js'
import { formatAge, formatDiff } from '../format.js'
import { type AgentGroup, NEED_TITLES } from '../group-agents.js'
import type { FactsByAgent } from '../hooks/use-agent-facts.js'
import { type Columns, planColumns, planList, STATE_CELLS, scrollTop } from '../layout.js'
import { fitLine, type Line, type Span, type Style, span } from '../line.js'
import { DIM, stateGlyph, stateStyle, type Theme } from '../theme.js'
import { cell, highlight, rightCell } from './cell.js'

export interface AgentListProps {
  groups: readonly AgentGroup[]
  facts: FactsByAgent
  selected: string | undefined
  now: number
  width: number
  height: number
  theme: Theme
}

export interface AgentListView {
  lines: readonly Line[]
  /** Lines of the whole list above and below what is in sight. */
  above: number
  below: number
}

/** The part of the list around the selected agent. */
export function agentListView(props: AgentListProps): AgentListView {
  const { lines, from, to } = listLines(props)
  const top = scrollTop(lines.length, props.height, from, to)
  const shown = lines.slice(top, top + props.height)
  return { lines: shown, above: top, below: lines.length - top - shown.length }
}

/** Every line of the list, and which of them belong to the selected agent. */
function listLines(props: AgentListProps): { lines: Line[]; from: number; to: number } {
  const { groups, width, height, theme } = props
  const agents = groups.flatMap((group) => group.agents)
  const plan = planList(height, width, { agents: agents.length, groups: groups.length })
  const columns = planColumns(width, longestTexts(agents, props), plan.linesPerAgent)
  const lines: Line[] = []
  let from = 0
  let to = 1
  for (const [index, group] of groups.entries()) {
    if (plan.headings && plan.linesPerAgent === 2 && index > 0) lines.push([])
    if (plan.headings) {
      lines.push([span(` ${NEED_TITLES[group.need].toUpperCase()} (${group.agents.length})`, DIM)])
    }
    for (const agent of group.agents) {
      const row = agentRow(agent, props, columns, plan.linesPerAgent)
      const isSelected = agent.id === props.selected
      if (isSelected) {
        from = lines.length
        to = lines.length + row.length
      }
      lines.push(...row.map((line) => (isSelected ? highlight(fitLine(line, width, theme), theme) : line)))
    }
  }
  return { lines, from, to }
}

function longestTexts(agents: readonly AgentView[], { facts, theme }: AgentListProps) {
  const longest = (text: (agent: AgentView) => string) =>
    Math.max(0, ...agents.map((agent) => cellWidth(span(text(agent)).text)))
  return {
    agent: longest((agent) => agent.id),
    runtime: longest((agent) => agent.runtime),
    beadId: longest((agent) => agent.bead?.id ?? ''),
    diff: longest((agent) => formatDiff(facts.get(agent.id)?.diff, theme)),
  }
}

function agentRow(
  agent: AgentView,
  { facts, now, theme }: AgentListProps,
  columns: Columns,
  lines: 1 | 2,
): Line[] {
  const known = facts.get(agent.id)
  const said = saidBy(agent, known?.said)
  const isOver = agent.state === 'stopped' || agent.state === 'done'
  const column = (text: string, cells: number, style: Style = {}) =>
    cells === 0 ? [] : [cell(text, cells, style, theme), span(' ')]
  const first: Line = [
    span(' '),
    cell(`${stateGlyph(agent.state, theme)} ${agent.state}`, STATE_CELLS - 2, stateStyle(agent.state), theme),
    span(' '),
    ...column(agent.id, columns.agent, { bold: !isOver }),
    ...column(agent.runtime, columns.runtime, DIM),
    ...beadCells(agent, columns, theme),
    span(' '),
    ...column(agent.branch ?? '', columns.branch, DIM),
    ...column(said, columns.said, DIM),
    ...(columns.diff === 0
      ? []
      : [rightCell(formatDiff(known?.diff, theme), columns.diff, {}, theme), span(' ')]),
    rightCell(formatAge(agent.since, now), columns.age, DIM, theme),
  ]
  if (lines === 1) return [first]
  const second = [agent.runtime, said].filter((part) => part !== '').join(` ${theme.glyphs.dot} `)
  return [first, [span(' '), span(' '.repeat(STATE_CELLS - 1)), span(second, DIM)]]
}

/** What it needs or why it stopped; else the last line of its screen. */
function saidBy(agent: AgentView, lastLine: string | undefined): string {
  return agent.detail !== '' ? agent.detail : (lastLine ?? '')
}

function beadCells(agent: AgentView, columns: Columns, theme: Theme): Span[] {
  if (agent.bead === undefined) return [cell(agent.role, columns.bead, DIM, theme)]
  const title = columns.bead - columns.beadId - 1
  return [cell(agent.bead.id, columns.beadId, {}, theme), span(' '), cell(agent.bead.title, title, {}, theme)]
}
