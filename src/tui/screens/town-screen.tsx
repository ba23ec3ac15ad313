import { Box } from 'ink'
import type { AgentView, TownView } from '../../app/town-view.js'
import { agentListView } from '../components/agent-list.js'
import { AgentPanel } from '../components/agent-panel.js'
import { Asks } from '../components/asks.js'
import { Header } from '../components/header.js'
import { Lines } from '../components/lines.js'
import { Problems } from '../components/problems.js'
import { titleLine } from '../components/title-line.js'
import { Titled } from '../components/titled.js'
import { TownExtras } from '../components/town-extras.js'
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
      <Asks
        asks={view.asks}
        selected={props.selected?.id}
        now={now}
        width={width}
        height={layout.asks}
        theme={theme}
      />
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
  const { view, layout, now, theme } = props
  const { list, extras, panel } = layout
  const bar = Array.from({ length: panel.height }, (): Line => [{ text: theme.glyphs.bar, style: DIM }])
  const { title, lines } = listPart(props)
  return (
    <Box flexDirection="row" width={props.width}>
      <Titled title={title} width={list.width + 1} theme={theme}>
        <Box flexDirection="row">
          <Box flexDirection="column" width={list.width}>
            <Lines lines={lines} {...list} theme={theme} />
            <TownExtras view={view} now={now} {...extras} theme={theme} />
          </Box>
          <Lines lines={bar} width={1} height={panel.height} theme={theme} />
        </Box>
      </Titled>
      <Titled title={panelTitle(props)} width={panel.width} theme={theme}>
        <Panel {...props} />
      </Titled>
    </Box>
  )
}

function Below(props: TownScreenProps) {
  const { layout, width, theme } = props
  const { title, lines } = listPart(props)
  return (
    <Box flexDirection="column" width={width}>
      <Titled title={title} width={width} theme={theme}>
        <Lines lines={lines} {...layout.list} theme={theme} />
      </Titled>
      <Titled title={panelTitle(props)} width={width} theme={theme}>
        <Panel {...props} />
      </Titled>
    </Box>
  )
}

/** The agents in sight under a title that says what is not. */
function listPart({ view, shown, filter, facts, selected, now, layout, theme }: TownScreenProps) {
  const all = view.agents.length
  const heading = filter === '' ? `Agents (${all})` : `Agents (${shown.length} of ${all} match "${filter}")`
  const groups = groupAgents(shown)
  const list = agentListView({ groups, facts, selected: selected?.id, now, ...layout.list, theme })
  const { up, down, teeDown } = theme.glyphs
  const hidden = [list.above > 0 ? `${up} ${list.above}` : '', list.below > 0 ? `${down} ${list.below}` : '']
  const [width, end] = layout.kind === 'beside' ? [layout.list.width + 1, teeDown] : [layout.list.width, '']
  const title = titleLine(heading, width, theme, hidden.filter(Boolean).join(' '), end)
  const none: Line[] = [[], [span('  No agent matches. Esc clears the filter.', DIM)]]
  return { title, lines: shown.length === 0 ? none : list.lines }
}

function panelTitle({ selected, layout, theme }: TownScreenProps): Line {
  if (selected === undefined) return titleLine('Preview', layout.panel.width, theme)
  const where = [selected.backend, selected.location].filter((part) => part !== '').join(' ')
  return titleLine(`${selected.id} ${theme.glyphs.dot} ${selected.runtime}`, layout.panel.width, theme, where)
}

function Panel({ selected, facts, screen, layout, theme }: TownScreenProps) {
  if (selected === undefined) return <Lines lines={[]} {...layout.panel} theme={theme} />
  const diff = facts.get(selected.id)?.diff
  return <AgentPanel agent={selected} diff={diff} lines={screen} {...layout.panel} theme={theme} />
}

function EmptyTown({ view, layout, width, theme }: TownScreenProps) {
  const height =
    layout.kind === 'beside' ? layout.panel.height + 1 : layout.list.height + layout.panel.height + 2
  return (
    <Lines
      lines={[titleLine('Agents (0)', width, theme), ...emptyTownLines(view, theme)]}
      width={width}
      height={height}
      theme={theme}
    />
  )
}
