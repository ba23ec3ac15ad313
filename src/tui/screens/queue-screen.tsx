import { Box } from 'ink'
import type { TownView } from '../../app/town-view.js'
import type { Merge, MergeStatus } from '../../domain/merge.js'
import { cellWidth, cutCells, wrapCells } from '../cells.js'
import { Lines } from '../components/lines.js'
import { titleLine } from '../components/title-line.js'
import { formatAge, plural } from '../format.js'
import { scrollTop } from '../layout.js'
import { type Line, parseScreenLine, type Span, type Style, span, spread } from '../line.js'
import { sanitise } from '../sanitise.js'
import { BLUE, BOLD, CYAN, DIM, GREEN, RED, type Theme, YELLOW } from '../theme.js'

interface QueueScreenProps {
  view: TownView
  at: number
  now: number
  width: number
  height: number
  theme: Theme
}

/** Entries as the screen lists them: the queue, then what was merged, newest first. */
export function queueEntries(view: TownView): Merge[] {
  return [...view.queue, ...[...view.recentlyMerged].reverse()]
}

export function QueueScreen({ view, at, now, width, height, theme }: QueueScreenProps) {
  const entries = queueEntries(view)
  const chosen = Math.min(at, entries.length - 1)
  const lines: Line[] = []
  let selectedLine = 0
  for (const [index, entry] of entries.entries()) {
    if (index === view.queue.length) lines.push([], [span(' RECENTLY MERGED', DIM)])
    if (index === chosen) selectedLine = lines.length
    lines.push(entryRow(entry, index === chosen, now, width, theme))
  }
  const entry = entries[chosen]
  const detail = entry === undefined ? [] : entryDetail(entry, width, theme)
  const detailHeight = Math.min(detail.length, Math.max(0, Math.floor((height - 2) / 2)))
  const listHeight = height - 1 - (detailHeight === 0 ? 0 : detailHeight + 1)
  const list =
    entries.length === 0 ? emptyQueue(view) : lines.slice(scrollTop(lines.length, listHeight, selectedLine))
  const title = `Merge queue (${plural(view.queue.length, 'entry', 'entries')})`
  return (
    <Box flexDirection="column" width={width}>
      <Lines lines={[titleLine(title, width, theme)]} width={width} height={1} theme={theme} />
      <Lines lines={list} width={width} height={listHeight} theme={theme} />
      {detailHeight > 0 && entry !== undefined ? (
        <>
          <Lines
            lines={[titleLine(`${entry.shownId} ${theme.glyphs.dot} ${entry.bead}`, width, theme)]}
            width={width}
            height={1}
            theme={theme}
          />
          <Lines lines={detail.slice(0, detailHeight)} width={width} height={detailHeight} theme={theme} />
        </>
      ) : null}
    </Box>
  )
}

function emptyQueue(view: TownView): Line[] {
  const waiting =
    view.beads.hooked > 0 ? ` ${plural(view.beads.hooked, 'bead is', 'beads are')} being worked on.` : ''
  return [
    [],
    [span('  The merge queue is empty.', BOLD), span(waiting)],
    [span('  An agent that says "gt done" puts its branch here.', DIM)],
  ]
}

function statusLook(status: MergeStatus, theme: Theme): readonly [string, Style] {
  const { pending, active, waits, check, cross } = theme.glyphs
  const looks: Record<MergeStatus, readonly [string, Style]> = {
    queued: [pending, { fg: BLUE }],
    running: [active, { fg: GREEN }],
    waiting: [waits, { fg: YELLOW, bold: true }],
    merged: [check, { fg: CYAN }],
    returned: [cross, { fg: RED }],
    rejected: [cross, { fg: RED }],
  }
  return looks[status]
}

function entryRow(entry: Merge, isSelected: boolean, now: number, width: number, theme: Theme): Line {
  const [glyph, style] = statusLook(entry.status, theme)
  const age = formatAge(entry.status === 'merged' ? entry.updatedAt : entry.createdAt, now)
  const left: Span[] = [
    span(' '),
    cell(`${glyph} ${entry.status}`, 10, style, theme),
    cell(entry.bead, Math.max(10, Math.floor(width * 0.18)), BOLD, theme),
    cell(entry.agent, Math.max(10, Math.floor(width * 0.16)), {}, theme),
    span(entryReason(entry, theme), DIM),
  ]
  const line = spread(left, [span(` ${age.padStart(4)}`, DIM)], width, theme)
  if (!isSelected) return line
  const [, ...rest] = line
  return [
    { text: theme.glyphs.marker, style: BOLD },
    ...rest.map(({ text }) => ({ text, style: { inverse: true } })),
  ]
}

function entryReason(entry: Merge, theme: Theme): string {
  if (entry.status === 'merged') return `${(entry.mergedAs ?? '').slice(0, 10)} on ${entry.target}`
  const tries = entry.attempts > 1 ? `try ${entry.attempts} ${theme.glyphs.dot} ` : ''
  return `${tries}${entry.reason ?? `${theme.glyphs.arrow} ${entry.target}`}`
}

function entryDetail(entry: Merge, width: number, theme: Theme): Line[] {
  const { arrow, dot, ellipsis } = theme.glyphs
  const facts = [
    `${entry.branch} ${arrow} ${entry.target}`,
    `rig ${entry.rig}`,
    plural(entry.attempts, 'attempt'),
  ].join(` ${dot} `)
  const reason = entry.reason === undefined ? [] : wrapCells(sanitise(entry.reason), width - 1, 4, ellipsis)
  const evidence =
    entry.evidence === undefined ? [] : entry.evidence.trimEnd().split('\n').map(parseScreenLine)
  return [[span(facts, DIM)], ...reason.map((line): Line => [span(line)]), ...evidence]
}

function cell(text: string, cells: number, style: Style, theme: Theme): Span {
  const shown = cutCells(span(text).text, cells - 1, theme.glyphs.ellipsis)
  return { text: shown + ' '.repeat(cells - cellWidth(shown)), style }
}
