import type { Ask } from '../../domain/ask.js'
import { askTitle } from '../../domain/ask.js'
import { formatAge } from '../format.js'
import { scrollTop } from '../layout.js'
import { type Line, span, spread } from '../line.js'
import { BOLD, DIM, stateGlyph, stateStyle, type Theme } from '../theme.js'
import { cell } from './cell.js'
import { Lines } from './lines.js'

interface AsksProps {
  asks: readonly Ask[]
  /** Agent whose asks the keys answer. */
  selected: string | undefined
  now: number
  width: number
  height: number
  theme: Theme
}

/** What waits for the person, one line each, the one that the keys answer marked. */
export function Asks(props: AsksProps) {
  return <Lines lines={askLines(props)} width={props.width} height={props.height} theme={props.theme} />
}

export function askLines({ asks, selected, now, width, height, theme }: AsksProps): Line[] {
  const chosen = asks.findIndex((ask) => ask.agent === selected)
  const top = scrollTop(asks.length, height, Math.max(0, chosen))
  const shown = asks.slice(top, top + height)
  const hidden = asks.length - shown.length
  return shown.map((ask, index) => {
    const isChosen = index + top === chosen
    const isLast = index === shown.length - 1
    const more = isLast && hidden > 0 ? ` +${hidden} gt asks` : ''
    return spread(
      askStart(ask, isChosen, width, theme),
      [span(` ${sideOf(ask, isChosen, now)}${more}`, DIM)],
      width,
      theme,
    )
  })
}

function askStart(ask: Ask, isChosen: boolean, width: number, theme: Theme): Line {
  const room = Math.max(10, Math.min(24, Math.floor(width * 0.18)))
  return [
    span(isChosen ? theme.glyphs.marker : ' ', BOLD),
    span(`${stateGlyph('waiting', theme)} `, stateStyle('waiting')),
    cell(ask.agent, room, BOLD, theme),
    span(` ${askTitle(ask)}${ask.isSubagent ? ' (a subagent)' : ''}`, isChosen ? BOLD : {}),
  ]
}

/** The keys that answer it, or for how long it has waited. */
function sideOf(ask: Ask, isChosen: boolean, now: number): string {
  const age = formatAge(ask.createdAt, now)
  if (ask.status === 'answered') return `answered by ${ask.answeredBy ?? '?'}, not confirmed ${age}`
  if (!isChosen) return age
  if (ask.kind === 'permission') return `a allow  A always  d deny  t text  ${age}`
  const options = (ask.options[0] ?? []).slice(0, 9).map((label, i) => `${i + 1} ${label}`)
  return [...options, 't text', 'd no answer', age].join('  ')
}
