import { Box } from 'ink'
import { Lines } from '../components/lines.js'
import { titleLine } from '../components/title-line.js'
import type { Line } from '../line.js'
import type { Theme } from '../theme.js'

interface TextScreenProps {
  title: string
  lines: readonly Line[]
  top: number
  width: number
  height: number
  theme: Theme
}

/** Lines to read and scroll: help, problems. */
export function TextScreen({ title, lines, top, width, height, theme }: TextScreenProps) {
  const room = height - 1
  const first = Math.max(0, Math.min(top, lines.length - room))
  const below = lines.length - first - room
  const note = below > 0 ? `${theme.glyphs.down} ${below} more` : ''
  return (
    <Box flexDirection="column" width={width}>
      <Lines lines={[titleLine(title, width, theme, note)]} width={width} height={1} theme={theme} />
      <Lines lines={lines.slice(first)} width={width} height={room} theme={theme} />
    </Box>
  )
}
