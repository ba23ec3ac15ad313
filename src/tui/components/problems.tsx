import { type Line, lineWidth, span, spread } from '../line.js'
import { DIM, RED, type Theme } from '../theme.js'
import { Lines } from './lines.js'

interface ProblemsProps {
  problems: readonly string[]
  width: number
  height: number
  theme: Theme
}

/** One problem per line; where some are hidden or cut, the last line names the key that shows all. */
export function Problems({ problems, width, height, theme }: ProblemsProps) {
  const shown = problems.slice(0, height)
  const hidden = problems.length - shown.length
  const lines = shown.map((problem, index): Line => {
    const text: Line = [span(`${theme.glyphs.warn} `, { fg: RED, bold: true }), span(problem, { fg: RED })]
    const isLast = index === shown.length - 1
    if (!isLast || (hidden === 0 && lineWidth(text) <= width)) return text
    return spread(text, [span(hidden > 0 ? ` +${hidden} p: all` : ' p: all', DIM)], width, theme)
  })
  return <Lines lines={lines} width={width} height={height} theme={theme} />
}
