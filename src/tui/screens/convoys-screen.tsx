import { Box } from 'ink'
import type { ConvoyView, TownView } from '../../app/town-view.js'
import type { BeadStatus } from '../../domain/bead.js'
import { cellWidth, cutCells } from '../cells.js'
import { Lines } from '../components/lines.js'
import { titleLine } from '../components/title-line.js'
import { progressCells } from '../format.js'
import { scrollTop } from '../layout.js'
import { type Line, type Span, type Style, span } from '../line.js'
import { BLUE, BOLD, CYAN, DIM, GREEN, RED, type Theme } from '../theme.js'

interface ConvoysScreenProps {
  view: TownView
  at: number
  width: number
  height: number
  theme: Theme
}

/** Every open convoy with its bar; the selected one with its beads. */
export function ConvoysScreen({ view, at, width, height, theme }: ConvoysScreenProps) {
  const chosen = Math.min(at, view.convoys.length - 1)
  const lines: Line[] = []
  let selectedLine = 0
  for (const [index, convoy] of view.convoys.entries()) {
    if (index === chosen) selectedLine = lines.length
    lines.push(convoyRow(convoy, index === chosen, width, theme))
    if (index === chosen) lines.push(...convoy.beads.map((bead) => beadRow(bead, width, theme)), [])
  }
  const shown =
    view.convoys.length === 0 ? noConvoys() : lines.slice(scrollTop(lines.length, height - 1, selectedLine))
  const note = `${legend('closed', theme)}  ${legend('inReview', theme)}  ${legend('hooked', theme)}  ${legend('open', theme)}`
  return (
    <Box flexDirection="column" width={width}>
      <Lines
        lines={[titleLine(`Convoys (${view.convoys.length})`, width, theme, note)]}
        width={width}
        height={1}
        theme={theme}
      />
      <Lines lines={shown} width={width} height={height - 1} theme={theme} />
    </Box>
  )
}

function noConvoys(): Line[] {
  return [
    [],
    [span('  No open convoys.', BOLD)],
    [span('  A convoy follows several beads as one delivery:', DIM)],
    [span('    gt convoy create "Login rewrite" BEAD BEAD', BOLD)],
  ]
}

type Part = 'closed' | 'inReview' | 'hooked' | 'open'
const PARTS: readonly (readonly [Part, string, Style])[] = [
  ['closed', 'closed', { fg: GREEN }],
  ['inReview', 'in review', { fg: CYAN }],
  ['hooked', 'in work', { fg: BLUE }],
  ['open', 'open', DIM],
]

function partGlyph(part: Part, { glyphs }: Theme): string {
  return { closed: glyphs.full, inReview: glyphs.dense, hooked: glyphs.medium, open: glyphs.light }[part]
}

function legend(part: Part, theme: Theme): string {
  return `${partGlyph(part, theme)} ${PARTS.find(([name]) => name === part)?.[1] ?? ''}`
}

function convoyRow(convoy: ConvoyView, isSelected: boolean, width: number, theme: Theme): Line {
  const { progress } = convoy
  const barCells = Math.max(10, Math.min(40, Math.floor(width * 0.25)))
  const widths = progressCells(progress, barCells)
  const bar = PARTS.map(
    ([part, , style]): Span => ({ text: partGlyph(part, theme).repeat(widths[part]), style }),
  )
  const count = `${progress.closed}/${progress.total}`
  const titleCells = Math.max(8, width - barCells - 12 - 10)
  const name = span(cutCells(span(`${convoy.id} ${convoy.title}`).text, titleCells, theme.glyphs.ellipsis))
  const padded = {
    text: name.text + ' '.repeat(titleCells - cellWidth(name.text)),
    style: isSelected ? { inverse: true } : {},
  }
  const percent = progress.total === 0 ? '' : `${Math.floor((progress.closed / progress.total) * 100)}%`
  return [
    isSelected ? { text: theme.glyphs.marker, style: BOLD } : span(' '),
    padded,
    span('  '),
    ...bar,
    span(`  ${count.padStart(7)} ${percent.padStart(4)}`, BOLD),
  ]
}

function beadRow(bead: ConvoyView['beads'][number], width: number, theme: Theme): Line {
  const [glyph, style] = beadLook(bead.status, theme)
  const id = cutCells(span(bead.id).text, Math.max(12, Math.floor(width * 0.2)), theme.glyphs.ellipsis)
  const who = bead.assignee === undefined ? '' : ` ${theme.glyphs.dot} ${bead.assignee}`
  return [
    span(`    ${glyph} ${bead.status.replace('_', ' ').padEnd(10)}`, style),
    span(id),
    span(` ${bead.title}`),
    span(who, DIM),
  ]
}

function beadLook(status: BeadStatus, { glyphs }: Theme): readonly [string, Style] {
  const looks: Record<BeadStatus, readonly [string, Style]> = {
    open: [glyphs.pending, DIM],
    hooked: [glyphs.active, { fg: BLUE }],
    in_review: [glyphs.waits, { fg: CYAN }],
    closed: [glyphs.check, { fg: GREEN }],
    deferred: [glyphs.pause, DIM],
    failed: [glyphs.cross, { fg: RED }],
  }
  return looks[status]
}
