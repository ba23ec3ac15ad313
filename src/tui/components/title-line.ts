import { cellWidth, cutCells } from '../cells.js'
import { type Line, type Span, span } from '../line.js'
import { BOLD, DIM, type Theme } from '../theme.js'

/** `── title ─────── note ──`: begins a part of the screen. `end` closes the line, e.g. with a joint. */
export function titleLine(title: string, width: number, theme: Theme, note = '', end = ''): Line {
  const { rule, ellipsis } = theme.glyphs
  const room = width - cellWidth(end)
  const shown = span(cutCells(span(title).text, room - 5, ellipsis), BOLD)
  const titled = [{ text: rule, style: DIM }, span(' '), shown, span(' ')]
  const left = room - 3 - cellWidth(shown.text)
  const noted: Span[] =
    note !== '' && cellWidth(note) + 4 <= left ? [span(` ${note} `, DIM), span(rule, DIM)] : []
  const fill = Math.max(0, left - noted.reduce((sum, part) => sum + cellWidth(part.text), 0))
  return [...titled, { text: rule.repeat(fill), style: DIM }, ...noted, { text: end, style: DIM }]
}
