import { Box } from 'ink'
import type { AgentView } from '../../app/town-view.js'
import { agentFactLines } from '../components/agent-panel.js'
import { Lines } from '../components/lines.js'
import { titleLine } from '../components/title-line.js'
import type { DiffStat } from '../dashboard-source.js'
import type { Line } from '../line.js'
import type { Theme } from '../theme.js'

interface PeekScreenProps {
  /** Undefined when the agent left the town while one looked. */
  agent: AgentView | undefined
  agentId: string
  diff: DiffStat | undefined
  lines: readonly Line[]
  /** Lines above the newest; 0 follows. */
  up: number
  width: number
  height: number
  theme: Theme
}

/** Lines of the peek screen that are not the agent's. */
export const PEEK_CHROME = 3

/** The agent's screen, as high and wide as ours. */
export function PeekScreen({ agent, agentId, diff, lines, up, width, height, theme }: PeekScreenProps) {
  const room = height - PEEK_CHROME
  const end = Math.max(Math.min(lines.length, room), lines.length - up)
  const note = up === 0 ? 'newest' : `${theme.glyphs.up} ${lines.length - end} lines below`
  const facts = agent === undefined ? [] : agentFactLines(agent, diff, theme).slice(0, 2)
  return (
    <Box flexDirection="column" width={width}>
      <Lines lines={facts} width={width} height={2} theme={theme} />
      <Lines lines={[titleLine(agentId, width, theme, note)]} width={width} height={1} theme={theme} />
      <Lines lines={lines.slice(Math.max(0, end - room), end)} width={width} height={room} theme={theme} />
    </Box>
  )
}
