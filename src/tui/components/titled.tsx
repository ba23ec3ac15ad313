import { Box } from 'ink'
import type { ReactNode } from 'react'
import type { Line } from '../line.js'
import type { Theme } from '../theme.js'
import { Lines } from './lines.js'

interface TitledProps {
  title: Line
  width: number
  theme: Theme
  children: ReactNode
}

/** A part of the screen under its title line. */
export function Titled({ title, width, theme, children }: TitledProps) {
  return (
    <Box flexDirection="column" width={width} flexShrink={0}>
      <Lines lines={[title]} width={width} height={1} theme={theme} />
      {children}
    </Box>
  )
}
