import type { AgentView, TownView } from '../../app/town-view.js'
import type { FactsByAgent } from '../hooks/use-agent-facts.js'
import type { TownLayout } from '../layout.js'
import type { Line } from '../line.js'
import type { Theme } from '../theme.js'
import type { UiState } from '../ui-state.js'
import { ConvoysScreen } from './convoys-screen.js'
import { PeekScreen } from './peek-screen.js'
import { QueueScreen } from './queue-screen.js'
import { TextScreen } from './text-screen.js'
import { TownScreen } from './town-screen.js'

interface ScreenOfProps {
  view: TownView
  state: UiState
  agents: readonly AgentView[]
  shown: readonly AgentView[]
  selected: AgentView | undefined
  facts: FactsByAgent
  /** Screen of the agent that is looked at. */
  screen: readonly Line[]
  layout: TownLayout
  /** Of a screen that is only text. */
  lines: readonly Line[]
  width: number
  height: number
  now: number
  theme: Theme
}

/** The screen that the person chose. */
export function ScreenOf({ state, agents, screen: agentScreen, lines, ...props }: ScreenOfProps) {
  const { screen } = state
  const { view, facts, width, height, now, theme } = props
  switch (screen.kind) {
    case 'town':
      return <TownScreen {...props} filter={state.filter} screen={agentScreen} />
    case 'peek': {
      const agent = agents.find(({ id }) => id === screen.agent)
      const shared = {
        agentId: screen.agent,
        diff: facts.get(screen.agent)?.diff,
        up: screen.up,
        width,
        height,
        theme,
      }
      return <PeekScreen agent={agent} lines={agentScreen} {...shared} />
    }
    case 'queue':
      return <QueueScreen view={view} at={screen.at} now={now} width={width} height={height} theme={theme} />
    case 'convoys':
      return <ConvoysScreen view={view} at={screen.at} width={width} height={height} theme={theme} />
    case 'problems':
      return (
        <TextScreen
          title={`Problems (${view.problems.length})`}
          lines={lines}
          top={screen.top}
          width={width}
          height={height}
          theme={theme}
        />
      )
    case 'help':
      return (
        <TextScreen title="Help" lines={lines} top={screen.top} width={width} height={height} theme={theme} />
      )
  }
}
