import { Box } from 'ink'
import type { ConvoyView, TownView } from '../../app/town-view.js'
import type { BeadStatus } from '../../domain/bead.js'
import { cell, highlight } from '../components/cell.js'
import { barLegend, convoyRow } from '../components/convoy-row.js'
import { Lines } from '../components/lines.js'
import { titleLine } from '../components/title-line.js'
import { scrollTop } from '../layout.js'
import { type Line, type Style, span } from '../line.js'
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
    const row = convoyRow(convoy, width, theme)
    if (index === chosen) selectedLine = lines.length
    lines.push(index === chosen ? markName(row, theme) : row)
    if (index === chosen) lines.push(...convoy.beads.map((bead) => beadRow(bead, width, theme)), [])
  }
  const top = scrollTop(lines.length, height - 1, selectedLine)
  const shown = view.convoys.length === 0 ? noConvoys() : lines.slice(top)
  const title = titleLine(`Convoys (${view.convoys.length})`, width, theme, barLegend(theme))
  return (
    <Box flexDirection="column" width={width}>
      <Lines lines={[title]} width={width} height={1} theme={theme} />
      <Lines lines={shown} width={width} height={height - 1} theme={theme} />
    </Box>
  )
}

/** The bar keeps its colours. */
function markName(row: Line, theme: Theme): Line {
  return [...highlight(row.slice(0, 2), theme), ...row.slice(2)]
}

function noConvoys(): Line[] {
  return [
    [],
    [span('  No open convoys.', BOLD)],
    [span('  A convoy follows several beads as one delivery:', DIM)],
    [span('    gt convoy create "Login rewrite" BEAD BEAD', BOLD)],
  ]
}

function beadRow(bead: ConvoyView['beads'][number], width: number, theme: Theme): Line {
  const [glyph, style] = beadLook(bead.status, theme)
  const who = bead.assignee === undefined ? '' : ` ${theme.glyphs.dot} ${bead.assignee}`
  return [
    span(`    ${glyph} ${bead.status.replace('_', ' ').padEnd(10)}`, style),
    cell(bead.id, Math.max(12, Math.min(24, Math.floor(width * 0.2))), {}, theme),
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
