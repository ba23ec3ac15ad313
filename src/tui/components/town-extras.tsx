import type { TownView } from '../../app/town-view.js'
import type { Line } from '../line.js'
import type { Theme } from '../theme.js'
import { convoyRow } from './convoy-row.js'
import { Lines } from './lines.js'
import { mergeRow } from './merge-row.js'
import { titleLine } from './title-line.js'

interface TownExtrasProps {
  view: TownView
  now: number
  width: number
  height: number
  theme: Theme
}

/** Where the list leaves room: the merge queue and the convoys at a glance. */
export function TownExtras(props: TownExtrasProps) {
  return <Lines lines={extraLines(props)} width={props.width} height={props.height} theme={props.theme} />
}

function extraLines({ view, now, width, height, theme }: TownExtrasProps): Line[] {
  const queue = view.queue.map((entry) => mergeRow(entry, now, width, theme))
  const convoys = view.convoys.map((convoy) => convoyRow(convoy, width, theme))
  const half = Math.max(2, Math.floor(height / 2))
  const queueRoom = Math.max(half, height - convoys.length - 1)
  const queuePart = part(
    `Merge queue (${queue.length})`,
    queue,
    Math.min(queueRoom, height),
    'm',
    width,
    theme,
  )
  const convoyPart = part(
    `Convoys (${convoys.length})`,
    convoys,
    height - queuePart.length,
    'c',
    width,
    theme,
  )
  return [...queuePart, ...convoyPart]
}

function part(
  title: string,
  rows: readonly Line[],
  room: number,
  key: string,
  width: number,
  theme: Theme,
): Line[] {
  if (rows.length === 0 || room < 2) return []
  const hidden = Math.max(0, rows.length - (room - 1))
  const note = hidden === 0 ? `${key}: all` : `${key}: ${hidden} more`
  return [titleLine(title, width, theme, note), ...rows.slice(0, room - 1)]
}
