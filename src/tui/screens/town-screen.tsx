import { Box } from 'ink'
import type { AgentView, TownView } from '../../app/town-view.js'
import { AgentList } from '../components/agent-list.js'
import { AgentPanel } from '../components/agent-panel.js'
import { Header } from '../components/header.js'
import { Lines } from '../components/lines.js'
import { Problems } from '../components/problems.js'
import { titleLine } from '../components/title-line.js'
import { Titled } from '../components/titled.js'
import { groupAgents } from '../group-agents.js'
import type { FactsByAgent } from '../hooks/use-agent-facts.js'
import type { TownLayout } from '../layout.js'
import { type Line, span } from '../line.js'
import { DIM, type Theme } from '../theme.js'
import { emptyTownLines } from './empty-town.js'

interface TownScreenProps {
  view: TownView
  /** Agents that pass the filter, in order. */
  shown: readonly AgentView[]
  filter: string
  selected: AgentView | undefined
  facts: FactsByAgent
  /** Screen of the selected agent. */
  screen: readonly Line[]
  layout: TownLayout
  now: number
  width: number
  theme: Theme
}

export function TownScreen(props: TownScreenProps) {
  const { view, layout, now, width, theme } = props
  return (
    <Box flexDirection="column" width={width}>
      <Header view={view} now={now} width={width} theme={theme} />
      <Problems problems={view.problems} width={width} height={layout.problems} theme={theme} />
      {view.agents.length === 0 ? (
        <EmptyTown {...props} />
      ) : layout.kind === 'beside' ? (
        <Beside {...props} />
      ) : (
        <Below {...props} />
      )}
    </Box>
  )
}

function Beside(props: TownScreenProps) {
  const { layout, theme } = props
  const bar: Line[] = Array.from({ length: layout.list.height }, () => [
    { text: theme.glyphs.bar, style: DIM },
  ])
  const title = titleLine(listTitle(props), layout.list.width + 1, theme, '', theme.glyphs.teeDown)
  return (
    <Box flexDirection="row" width={props.width}>
      <Titled title={title} width={layout.list.width + 1} theme={theme}>
        <Box flexDirection="row">
          <List {...props} />
          <Lines lines={bar} width={1} height={layout.list.height} theme={theme} />
        </Box>
      </Titled>
      <Titled title={panelTitle(props)} width={layout.panel.width} theme={theme}>
        <Panel {...props} />
      </Titled>
    </Box>
  )
}

function Below(props: TownScreenProps) {
  const { width, theme } = props
  return (
    <Box flexDirection="column" width={width}>
      <Titled title={titleLine(listTitle(props), width, theme)} width={width} theme={theme}>
        <List {...props} />
      </Titled>
      <Titled title={panelTitle(props)} width={width} theme={theme}>
        <Panel {...props} />
      </Titled>
    </Box>
  )
}

function listTitle({ view, shown, filter }: TownScreenProps): string {
  const all = view.agents.length
  return filter === '' ? `Agents (${all})` : `Agents (${shown.length} of ${all} match "${filter}")`
}

function panelTitle({ selected, layout, theme }: TownScreenProps): Line {
  if (selected === undefined) return titleLine('Preview', layout.panel.width, theme)
  const where = [selected.backend, selected.location].filter((part) => part !== '').join(' ')
  return titleLine(`${selected.id} ${theme.glyphs.dot} ${selected.runtime}`, layout.panel.width, theme, where)
}

function List({ shown, facts, selected, now, layout, theme }: TownScreenProps) {
  if (shown.length === 0) {
    const none: Line[] = [[], [span('  No agent matches. Esc clears the filter.', DIM)]]
    return <Lines lines={none} {...layout.list} theme={theme} />
  }
  const groups = groupAgents(shown)
  return (
    <AgentList
      groups={groups}
      facts={facts}
      selected={selected?.id}
      now={now}
      {...layout.list}
      theme={theme}
    />
  )
}

function Panel({ selected, facts, screen, layout, theme }: TownScreenProps) {
  if (selected === undefined) return <Lines lines={[]} {...layout.panel} theme={theme} />
  const diff = facts.get(selected.id)?.diff
  return <AgentPanel agent={selected} diff={diff} lines={screen} {...layout.panel} theme={theme} />
}

function EmptyTown({ view, layout, width, theme }: TownScreenProps) {
  const height =
    layout.kind === 'beside' ? layout.list.height + 1 : layout.list.height + layout.panel.height + 2
  return (
    <Lines
      lines={[titleLine('Agents (0)', width, theme), ...emptyTownLines(view, theme)]}
      width={width}
      height={height}
      theme={theme}
    />
  )
}
