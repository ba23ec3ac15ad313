import { type Line, span } from '../line.js'
import { DIM, RED, type Theme } from '../theme.js'
import { Lines } from './lines.js'

interface ProblemsProps {
  problems: readonly string[]
  width: number
  height: number
  theme: Theme
}

/** One problem per line; the last line says how many there are more. */
export function Problems({ problems, width, height, theme }: ProblemsProps) {
  const shown = problems.slice(0, height)
  const hidden = problems.length - shown.length
  const lines = shown.map((problem, index): Line => {
    const more = hidden > 0 && index === shown.length - 1 ? [span(`(+${hidden}, p: all) `, DIM)] : []
    return [span(`${theme.glyphs.warn} `, { fg: RED, bold: true }), ...more, span(problem, { fg: RED })]
  })
  return <Lines lines={lines} width={width} height={height} theme={theme} />
}
