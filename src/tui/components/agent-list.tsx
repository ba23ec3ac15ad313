import type { AgentView } from '../../app/town-view.js'
import { cellWidth, cutCells } from '../cells.js'
import { formatAge, formatDiff } from '../format.js'
import { type AgentGroup, NEED_TITLES } from '../group-agents.js'
import type { FactsByAgent } from '../hooks/use-agent-facts.js'
import { type Columns, planColumns, planList, STATE_CELLS, scrollTop } from '../layout.js'
import { fitLine, type Line, type Span, type Style, span } from '../line.js'
import { DIM, stateGlyph, stateStyle, type Theme } from '../theme.js'
import { Lines } from './lines.js'

interface AgentListProps {
  groups: readonly AgentGroup[]
  facts: FactsByAgent
  selected: string | undefined
  now: number
  width: number
  height: number
  theme: Theme
}

export function AgentList(props: AgentListProps) {
  const { lines, from, to } = listLines(props)
  const top = scrollTop(lines.length, props.height, from, to)
  return <Lines lines={lines.slice(top)} width={props.width} height={props.height} theme={props.theme} />
}

/** Every line of the list, and which of them belong to the selected agent. */
function listLines(props: AgentListProps): { lines: Line[]; from: number; to: number } {
  const { groups, width, height, theme } = props
  const agents = groups.flatMap((group) => group.agents)
  const plan = planList(height, width, { agents: agents.length, groups: groups.length })
  const longest = {
    agent: Math.max(0, ...agents.map((agent) => cellWidth(span(agent.id).text))),
    runtime: Math.max(0, ...agents.map((agent) => cellWidth(span(agent.runtime).text))),
  }
  const columns = planColumns(width, longest, plan.linesPerAgent)
  const lines: Line[] = []
  let from = 0
  let to = 1
  for (const [index, group] of groups.entries()) {
    if (plan.headings && plan.linesPerAgent === 2 && index > 0) lines.push([])
    if (plan.headings)
      lines.push([span(` ${NEED_TITLES[group.need].toUpperCase()} (${group.agents.length})`, DIM)])
    for (const agent of group.agents) {
      const row = agentRow(agent, props, columns, plan.linesPerAgent)
      const isSelected = agent.id === props.selected
      if (isSelected) {
        from = lines.length
        to = lines.length + row.length
      }
      lines.push(...row.map((line) => (isSelected ? highlight(line, width, theme) : line)))
    }
  }
  return { lines, from, to }
}

/** Marker and reversed video: visible without any colour. */
function highlight(line: Line, width: number, theme: Theme): Line {
  const [, ...rest] = fitLine(line, width, theme)
  return [
    { text: theme.glyphs.marker, style: { bold: true } },
    ...rest.map(({ text }) => ({ text, style: { inverse: true } })),
  ]
}

function agentRow(
  agent: AgentView,
  { facts, now, theme }: AgentListProps,
  columns: Columns,
  lines: 1 | 2,
): Line[] {
  const known = facts.get(agent.id)
  const cell = (text: string, cells: number, style: Style = {}) =>
    cells === 0 ? [] : [cellOf(text, cells, style, theme), span(' ')]
  const state = stateStyle(agent.state)
  const isQuiet = agent.state === 'stopped' || agent.state === 'done'
  const first: Line = [
    span(' '),
    cellOf(`${stateGlyph(agent.state, theme)} ${agent.state}`, STATE_CELLS - 2, state, theme),
    span(' '),
    ...cell(agent.id, columns.agent, { bold: !isQuiet }),
    ...cell(agent.runtime, columns.runtime, DIM),
    ...beadCells(agent, columns.bead, theme),
    span(' '),
    ...cell(agent.branch ?? '', columns.branch, DIM),
    ...cell(saidBy(agent, known?.said), columns.said, DIM),
    ...(columns.diff === 0
      ? []
      : [rightCell(formatDiff(known?.diff, theme), columns.diff, {}, theme), span(' ')]),
    rightCell(formatAge(agent.since, now), columns.age, DIM, theme),
  ]
  if (lines === 1) return [first]
  const said = saidBy(agent, known?.said)
  const second = [agent.runtime, said].filter((part) => part !== '').join(` ${theme.glyphs.dot} `)
  return [first, [span(' '.repeat(STATE_CELLS)), span(second, DIM)]]
}

/** What it needs or why it stopped; else the last line of its screen. */
function saidBy(agent: AgentView, lastLine: string | undefined): string {
  return agent.detail !== '' ? agent.detail : (lastLine ?? '')
}

function beadCells(agent: AgentView, cells: number, theme: Theme): Span[] {
  if (agent.bead === undefined) return [cellOf(agent.role, cells, DIM, theme)]
  const id = span(agent.bead.id).text
  const idCells = Math.min(cellWidth(id), Math.max(8, Math.floor(cells * 0.45)), cells)
  const title = cells - idCells - 1
  return [
    cellOf(id, idCells, {}, theme),
    span(cells > idCells ? ' ' : ''),
    cellOf(agent.bead.title, title, {}, theme),
  ]
}

function cellOf(text: string, cells: number, style: Style, theme: Theme): Span {
  const shown = cutCells(span(text).text, cells, theme.glyphs.ellipsis)
  return { text: shown + ' '.repeat(Math.max(0, cells - cellWidth(shown))), style }
}

function rightCell(text: string, cells: number, style: Style, theme: Theme): Span {
  const shown = cutCells(span(text).text, cells, theme.glyphs.ellipsis)
  return { text: ' '.repeat(Math.max(0, cells - cellWidth(shown))) + shown, style }
}
