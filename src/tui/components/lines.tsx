import { Box, Text, Transform } from 'ink'
import { fitLine, type Line, paintLine } from '../line.js'
import type { Theme } from '../theme.js'

interface LinesProps {
  lines: readonly Line[]
  width: number
  height: number
  theme: Theme
}

/**
 * A rectangle of finished lines: cut and padded to its size. The text goes through `Transform` because Ink keeps every
 * text it ever measured (6.8.0, measure-text.js); what is measured here is a blank of the same height.
 */
export function Lines({ lines, width, height, theme }: LinesProps) {
  if (width <= 0 || height <= 0) return null
  const painted = Array.from({ length: height }, (_, row) =>
    paintLine(fitLine(lines[row] ?? [], width, theme), theme),
  )
  return (
    <Box width={width} height={height} flexShrink={0}>
      <Transform transform={(_blank, row) => painted[row] ?? ''}>
        <Text>{Array.from({ length: height }, () => ' ').join('\n')}</Text>
      </Transform>
    </Box>
  )
}
