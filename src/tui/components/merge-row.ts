import type { Merge, MergeStatus } from '../../domain/merge.js'
import { formatAge } from '../format.js'
import { type Line, type Style, span, spread } from '../line.js'
import { BLUE, BOLD, CYAN, DIM, GREEN, RED, type Theme, YELLOW } from '../theme.js'
import { cell } from './cell.js'

/** An entry of the merge queue: status, bead, agent, reason, age. */
export function mergeRow(entry: Merge, now: number, width: number, theme: Theme): Line {
  const [glyph, style] = statusLook(entry.status, theme)
  const age = formatAge(entry.status === 'merged' ? entry.updatedAt : entry.createdAt, now)
  const left: Line = [
    span(' '),
    cell(`${glyph} ${entry.status}`, 10, style, theme),
    span(' '),
    cell(entry.bead, Math.max(10, Math.min(24, Math.floor(width * 0.18))), BOLD, theme),
    span(' '),
    cell(entry.agent, Math.max(10, Math.min(24, Math.floor(width * 0.18))), {}, theme),
    span(' '),
    span(reasonOf(entry, theme), DIM),
  ]
  return spread(left, [span(` ${age.padStart(4)}`, DIM)], width, theme)
}

function reasonOf(entry: Merge, theme: Theme): string {
  if (entry.status === 'merged') return `${(entry.mergedAs ?? '').slice(0, 10)} on ${entry.target}`
  const tries = entry.attempts > 1 ? `try ${entry.attempts} ${theme.glyphs.dot} ` : ''
  return `${tries}${entry.reason ?? `${theme.glyphs.arrow} ${entry.target}`}`
}

function statusLook(status: MergeStatus, { glyphs }: Theme): readonly [string, Style] {
  const looks: Record<MergeStatus, readonly [string, Style]> = {
    queued: [glyphs.pending, { fg: BLUE }],
    running: [glyphs.active, { fg: GREEN }],
    waiting: [glyphs.waits, { fg: YELLOW, bold: true }],
    merged: [glyphs.check, { fg: CYAN }],
    returned: [glyphs.cross, { fg: RED }],
    rejected: [glyphs.cross, { fg: RED }],
  }
  return looks[status]
}
