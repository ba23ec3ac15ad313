import { cellWidth, cutCells } from '../cells.js'
import { type Line, type Span, type Style, span } from '../line.js'
import type { Theme } from '../theme.js'

/** Text in a column of `cells`: cut or padded. */
export function cell(text: string, cells: number, style: Style, theme: Theme): Span {
  const shown = cutCells(span(text).text, cells, theme.glyphs.ellipsis)
  return { text: shown + ' '.repeat(Math.max(0, cells - cellWidth(shown))), style }
}

export function rightCell(text: string, cells: number, style: Style, theme: Theme): Span {
  const shown = cutCells(span(text).text, cells, theme.glyphs.ellipsis)
  return { text: ' '.repeat(Math.max(0, cells - cellWidth(shown))) + shown, style }
}

/** Selected: a marker and reversed video, visible without any colour. The first span of the line must be one blank. */
export function highlight([, ...rest]: Line, theme: Theme): Line {
  return [
    { text: theme.glyphs.marker, style: { bold: true } },
    ...rest.map(({ text }) => ({ text, style: { inverse: true } })),
  ]
}
