import type { ConvoyView } from '../../app/town-view.js'
import { progressCells } from '../format.js'
import { type Line, type Span, type Style, span } from '../line.js'
import { BLUE, BOLD, CYAN, DIM, GREEN, type Theme } from '../theme.js'
import { cell } from './cell.js'

type Part = 'closed' | 'inReview' | 'hooked' | 'open'
const PARTS: readonly (readonly [Part, string, Style])[] = [
  ['closed', 'closed', { fg: GREEN }],
  ['inReview', 'in review', { fg: CYAN }],
  ['hooked', 'in work', { fg: BLUE }],
  ['open', 'open', DIM],
]

/** A convoy with its bar: title, bar, closed of all. */
export function convoyRow({ id, title, progress }: ConvoyView, width: number, theme: Theme): Line {
  const barCells = Math.max(10, Math.min(40, Math.floor(width * 0.25)))
  const widths = progressCells(progress, barCells)
  const bar = PARTS.map(
    ([part, , style]): Span => ({ text: partGlyph(part, theme).repeat(widths[part]), style }),
  )
  const percent = progress.total === 0 ? '' : `${Math.floor((progress.closed / progress.total) * 100)}%`
  const count = `  ${`${progress.closed}/${progress.total}`.padStart(5)} ${percent.padStart(4)}`
  const name = cell(`${id} ${title}`, Math.max(8, width - barCells - count.length - 3), {}, theme)
  return [span(' '), name, span('  '), ...bar, span(count, BOLD)]
}

/** What the shades of the bar mean. */
export function barLegend(theme: Theme): string {
  return PARTS.map(([part, word]) => `${partGlyph(part, theme)} ${word}`).join('  ')
}

function partGlyph(part: Part, { glyphs }: Theme): string {
  return { closed: glyphs.full, inReview: glyphs.dense, hooked: glyphs.medium, open: glyphs.light }[part]
}
