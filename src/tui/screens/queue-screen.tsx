import { Box } from 'ink'
import type { TownView } from '../../app/town-view.js'
import type { Merge } from '../../domain/merge.js'
import { wrapCells } from '../cells.js'
import { highlight } from '../components/cell.js'
import { Lines } from '../components/lines.js'
import { mergeRow } from '../components/merge-row.js'
import { titleLine } from '../components/title-line.js'
import { plural } from '../format.js'
import { scrollTop } from '../layout.js'
import { type Line, parseScreenLine, span } from '../line.js'
import { sanitise } from '../sanitise.js'
import { BOLD, DIM, type Theme } from '../theme.js'

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

/** The queue, and below it why the selected entry is where it is. */
export function QueueScreen(props: QueueScreenProps) {
  const { view, at, width, height, theme } = props
  const entries = queueEntries(view)
  const chosen = Math.min(at, entries.length - 1)
  const entry = entries[chosen]
  const detail = entry === undefined ? [] : entryDetail(entry, width, theme)
  const detailHeight = Math.min(detail.length, Math.max(0, Math.floor((height - 2) / 2)))
  const listHeight = height - 1 - detailHeight
  const { lines, selectedLine } = entryLines(entries, chosen, props)
  const list =
    entries.length === 0 ? emptyQueue(view) : lines.slice(scrollTop(lines.length, listHeight, selectedLine))
  const title = `Merge queue (${plural(view.queue.length, 'entry', 'entries')})`
  return (
    <Box flexDirection="column" width={width}>
      <Lines lines={[titleLine(title, width, theme)]} width={width} height={1} theme={theme} />
      <Lines lines={list} width={width} height={listHeight} theme={theme} />
      <Lines lines={detail} width={width} height={detailHeight} theme={theme} />
    </Box>
  )
}

function entryLines(
  entries: readonly Merge[],
  chosen: number,
  { view, now, width, theme }: QueueScreenProps,
) {
  const lines: Line[] = []
  let selectedLine = 0
  for (const [index, entry] of entries.entries()) {
    if (index === view.queue.length) lines.push([], [span(' RECENTLY MERGED', DIM)])
    if (index === chosen) selectedLine = lines.length
    const row = mergeRow(entry, now, width, theme)
    lines.push(index === chosen ? highlight(row, theme) : row)
  }
  return { lines, selectedLine }
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

function entryDetail(entry: Merge, width: number, theme: Theme): Line[] {
  const { arrow, dot, ellipsis } = theme.glyphs
  const where = `${entry.branch} ${arrow} ${entry.target}`
  const facts = [where, `rig ${entry.rig}`, plural(entry.attempts, 'attempt')].join(` ${dot} `)
  const reason = entry.reason === undefined ? [] : wrapCells(sanitise(entry.reason), width - 1, 4, ellipsis)
  const evidence =
    entry.evidence === undefined ? [] : entry.evidence.trimEnd().split('\n').map(parseScreenLine)
  return [
    titleLine(`${entry.shownId} ${dot} ${entry.bead}`, width, theme),
    [span(facts, DIM)],
    ...reason.map((line): Line => [span(line)]),
    ...evidence,
  ]
}
