import { Box, useApp } from 'ink'
import { useCallback, useLayoutEffect, useMemo } from 'react'
import type { AgentView, TownView } from '../app/town-view.js'
import { wrapCells } from './cells.js'
import { previewLines } from './components/agent-panel.js'
import { BottomLine, bottomLines } from './components/bottom-line.js'
import { Lines } from './components/lines.js'
import type { DashboardSource } from './dashboard-source.js'
import { filterAgents, groupAgents } from './group-agents.js'
import { hintsFor } from './hints.js'
import { useAgentFacts } from './hooks/use-agent-facts.js'
import { useAttach } from './hooks/use-attach.js'
import { useDashboard } from './hooks/use-dashboard.js'
import { useKeys } from './hooks/use-keys.js'
import { useNow } from './hooks/use-now.js'
import { type PreviewWish, usePreview } from './hooks/use-preview.js'
import { useTerminalSize } from './hooks/use-terminal-size.js'
import { useTownView } from './hooks/use-town-view.js'
import { MIN_SIZE, planTown, type Size } from './layout.js'
import { type Line, span } from './line.js'
import { sanitise } from './sanitise.js'
import { helpLines } from './screens/help-lines.js'
import { PEEK_CHROME } from './screens/peek-screen.js'
import { queueEntries } from './screens/queue-screen.js'
import { ScreenOf } from './screens/screen-of.js'
import type { Terminal } from './terminal.js'
import { DIM, type Theme } from './theme.js'
import type { Screen, Surroundings, UiState } from './ui-state.js'

interface DashboardProps {
  source: DashboardSource
  terminal: Terminal
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  theme: Theme
  now: () => number
}

/** Puts town, keys and screens together. */
export function Dashboard({ source, terminal, stdin, stdout, theme, now }: DashboardProps) {
  const { exit } = useApp()
  const quit = useCallback(() => exit(), [exit])
  const control = useDashboard({ source, terminal, quit })
  const { state, attached, press, report, lookAround, cameBack } = control
  // Ink unmounts on SIGTERM and SIGHUP too, and only layout effects are cleaned up before the process is gone.
  useLayoutEffect(() => terminal.close, [terminal])
  const isHere = attached === undefined
  const view = useTownView(source, report)
  const size = useTerminalSize(stdout)
  const time = useNow(now, isHere)
  useKeys(press, isHere)
  useAttach(attached, { source, terminal, stdin, onBack: cameBack })

  const agents = useMemo(() => orderAgents(view?.agents ?? []), [view])
  const facts = useAgentFacts(source, agents, now, isHere)
  const shown = useMemo(() => filterAgents(agents, state.filter), [agents, state.filter])
  const selected = shown.find((agent) => agent.id === state.selected) ?? shown[0]
  const watched =
    state.screen.kind === 'peek' ? agents.find(({ id }) => id === watchedId(state.screen)) : selected
  const preview = usePreview(source, isHere ? previewWish(state.screen, watched, view, size) : undefined)
  const screen = useMemo(() => previewLines(preview), [preview])

  const asks = view?.asks.some((ask) => ask.agent === watched?.id && ask.status === 'open') === true
  const hints = hintsFor(state.screen, theme, asks)
  const bottom = bottomLines({
    prompt: state.prompt,
    message: state.message,
    hints,
    width: size.columns,
    theme,
  })
  const height = size.rows - bottom.length
  const lines = screenLines(state.screen, view, size.columns, theme)
  const page = Math.max(1, Math.floor(height / 2))
  const scrollable = Math.max(
    0,
    state.screen.kind === 'peek' ? screen.length - (height - PEEK_CHROME) : lines.length - (height - 1),
  )
  // Before the frame is out: a key must act on what the person sees.
  useLayoutEffect(() => {
    if (view !== undefined)
      lookAround(
        whatIsAround({ view, shown, page, scrollable }),
        agents.map((agent) => agent.id),
      )
  })

  if (size.columns < MIN_SIZE.columns || size.rows < MIN_SIZE.rows)
    return <TooSmall size={size} theme={theme} />
  if (view === undefined)
    return <Lines lines={openingLines(state)} width={size.columns} height={size.rows} theme={theme} />
  const layout = planTown(size, { ...listNeeds(view, shown), bottom: bottom.length })
  const common = { view, width: size.columns, height, now: time, theme }
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows} overflow="hidden">
      <Box flexDirection="column" width={size.columns} height={height} overflow="hidden">
        <ScreenOf {...{ ...common, state, agents, shown, selected, facts, screen, layout, lines }} />
      </Box>
      <BottomLine
        prompt={state.prompt}
        message={state.message}
        hints={hints}
        width={size.columns}
        theme={theme}
      />
    </Box>
  )
}

function TooSmall({ size, theme }: { size: Size; theme: Theme }) {
  const text = `gt needs ${MIN_SIZE.columns}x${MIN_SIZE.rows}, this is ${size.columns}x${size.rows}`
  return (
    <Lines
      lines={[[span(text)], [span('q quits', DIM)]]}
      width={size.columns}
      height={size.rows}
      theme={theme}
    />
  )
}

function openingLines(state: UiState): Line[] {
  return [[span('Reading the town', DIM)], [span(state.message?.text ?? '')], [span('q quits', DIM)]]
}

function orderAgents(agents: readonly AgentView[]): AgentView[] {
  return groupAgents(agents).flatMap((group) => group.agents)
}

function watchedId(screen: Screen): string | undefined {
  return screen.kind === 'peek' ? screen.agent : undefined
}

/** Lines of scrollback that peek asks for. */
const PEEK_LINES = 500

/** Nothing is read for a screen that is not in sight. */
function previewWish(
  screen: Screen,
  agent: AgentView | undefined,
  view: TownView | undefined,
  size: Size,
): PreviewWish | undefined {
  if (agent === undefined || (screen.kind !== 'town' && screen.kind !== 'peek')) return undefined
  return { agent: agent.id, lines: screen.kind === 'peek' ? PEEK_LINES : size.rows, trigger: view }
}

function screenLines(
  screen: Screen,
  view: TownView | undefined,
  width: number,
  theme: Theme,
): readonly Line[] {
  if (screen.kind === 'help') return helpLines(width, theme)
  if (screen.kind !== 'problems') return []
  return (view?.problems ?? []).flatMap((problem) =>
    wrapCells(sanitise(problem), width - 5, 20, theme.glyphs.ellipsis).map(
      (line, index): Line => [span(index === 0 ? ` ${theme.glyphs.warn} ` : '   '), span(line)],
    ),
  )
}

/** What the list and its neighbours would fill. */
function listNeeds(view: TownView, shown: readonly AgentView[]) {
  const withTitle = (rows: number) => (rows === 0 ? 0 : rows + 1)
  return {
    agents: shown.length,
    groups: groupAgents(shown).length,
    asks: view.asks.length,
    problems: view.problems.length,
    extras: withTitle(view.queue.length) + withTitle(view.convoys.length),
  }
}

interface Frame {
  view: TownView
  shown: readonly AgentView[]
  page: number
  scrollable: number
}

function whatIsAround({ view, shown, page, scrollable }: Frame): Surroundings {
  const entries = queueEntries(view)
  return {
    agents: shown.map((agent) => agent.id),
    queue: entries.map((entry) => ({
      id: entry.id,
      canRetry: entry.status !== 'merged',
    })),
    asks: view.asks
      .filter((ask) => ask.status === 'open')
      .map(({ id, agent, kind, options }) => ({ id, agent, kind, options: options[0]?.length ?? 0 })),
    convoys: view.convoys.length,
    hasProblems: view.problems.length > 0,
    page,
    scrollable,
  }
}
