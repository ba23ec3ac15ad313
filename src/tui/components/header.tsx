import type { TownView } from '../../app/town-view.js'
import { formatClock } from '../format.js'
import { NEEDS, type Need, needOf } from '../group-agents.js'
import { firstFitting } from '../layout.js'
import { type Line, lineWidth, type Style, span, spread } from '../line.js'
import { BOLD, CYAN, DIM, GREEN, stateGlyph, type Theme, YELLOW } from '../theme.js'
import { Lines } from './lines.js'

interface HeaderProps {
  view: TownView
  now: number
  width: number
  theme: Theme
}

export function Header(props: HeaderProps) {
  return <Lines lines={[headerLine(props)]} width={props.width} height={1} theme={props.theme} />
}

/** The town at a glance; says the same with fewer words where there is less room. */
function headerLine({ view, now, width, theme }: HeaderProps): Line {
  const right = [span(` ${formatClock(now)}`, DIM)]
  const name = [span(view.name, BOLD)]
  const line = firstFitting(
    [
      [
        ...name,
        span('   '),
        ...needCounts(view, 'words', theme),
        span('   '),
        ...townCounts(view, 'words', theme),
      ],
      [
        ...name,
        span('  '),
        ...needCounts(view, 'short words', theme),
        span('  '),
        ...townCounts(view, 'short words', theme),
      ],
      [
        ...name,
        span('  '),
        ...needCounts(view, 'glyphs', theme),
        span('  '),
        ...townCounts(view, 'short words', theme),
      ],
      [
        ...name,
        span('  '),
        ...needCounts(view, 'glyphs', theme),
        span('  '),
        ...townCounts(view, 'glyphs', theme),
      ],
    ],
    (candidate) => lineWidth(candidate) + lineWidth(right) + 1,
    width,
  )
  return spread(line ?? [], right, width, theme)
}

type Detail = 'words' | 'short words' | 'glyphs'

const NEED_WORDS: Readonly<Record<Need, readonly [string, string]>> = {
  input: ['need input', 'need you'],
  working: ['working', 'working'],
  review: ['ready for review', 'review'],
  rest: ['other', 'other'],
}
const NEED_STYLES: Readonly<Record<Need, Style>> = {
  input: { fg: YELLOW, bold: true },
  working: { fg: GREEN },
  review: { fg: CYAN },
  rest: {},
}

function needCounts(view: TownView, detail: Detail, theme: Theme): Line {
  const glyphs: Record<Need, string> = {
    input: stateGlyph('waiting', theme),
    working: stateGlyph('working', theme),
    review: stateGlyph('done', theme),
    rest: stateGlyph('idle', theme),
  }
  return NEEDS.flatMap((need) => {
    const count = view.agents.filter((agent) => needOf(agent) === need).length
    const word = detail === 'glyphs' ? '' : ` ${NEED_WORDS[need][detail === 'words' ? 0 : 1]}`
    const style = count === 0 ? DIM : NEED_STYLES[need]
    const number = detail === 'glyphs' ? `${glyphs[need]}${count}` : `${glyphs[need]} ${count}`
    return [span(number, style), span(`${word}${detail === 'glyphs' ? ' ' : '  '}`, count === 0 ? DIM : {})]
  }).slice(0)
}

function townCounts(view: TownView, detail: Detail, theme: Theme): Line {
  const { ready, open } = view.beads
  const gap = { text: ` ${theme.glyphs.dot} `, style: DIM }
  const mail: Style = view.unreadForHuman > 0 ? { fg: YELLOW, bold: true } : DIM
  if (detail === 'glyphs') {
    return [
      span(`${ready}/${open} ready`),
      gap,
      span(`q${view.queue.length}`),
      gap,
      span(`mail ${view.unreadForHuman}`, mail),
    ]
  }
  const beads = detail === 'words' ? `beads: ${ready} ready of ${open} open` : `${ready} ready/${open} open`
  const letters = detail === 'words' ? `${view.unreadForHuman} unread mail` : `mail ${view.unreadForHuman}`
  const queue = detail === 'words' ? `${view.queue.length} in merge queue` : `queue ${view.queue.length}`
  return [span(beads), gap, span(queue), gap, span(letters, mail)]
}
