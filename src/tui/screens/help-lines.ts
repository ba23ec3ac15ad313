import { AGENT_STATES } from '../../domain/session.js'
import { fitLine, type Line, span } from '../line.js'
import { BOLD, DIM, stateGlyph, stateStyle, type Theme } from '../theme.js'

const KEYS: readonly (readonly [string, string])[] = [
  ['j k, arrows', 'next, previous'],
  ['g G', 'first, last'],
  ['Enter', 'attach: its terminal becomes yours'],
  ['Space', 'peek: its screen, full size'],
  ['i', 'reply: type into its session'],
  ['a A d', 'answer what it asks: allow, always, deny'],
  ['t, 1 to 9', 'answer in words; with an option'],
  ['n', 'new work: sling a bead or a sentence'],
  ['D', 'stop the agent (asks first)'],
  ['m', 'merge queue; r there retries'],
  ['c', 'convoys and how far they are'],
  ['p', 'all problems, in full'],
  ['/', 'filter while you type; Esc clears'],
  ['Ctrl-d Ctrl-u', 'a page down, up (also PgDn PgUp)'],
  ['Ctrl-l', 'draw the screen again'],
  ['?', 'this help'],
  ['q', 'quit; on another screen: back'],
]

/** All keys and what the glyphs mean; in two columns where there is room. */
export function helpLines(width: number, theme: Theme): Line[] {
  const keys = KEYS.map(([key, what]): Line => [span(`  ${key.padEnd(15)}`, BOLD), span(what)])
  const states = AGENT_STATES.map(
    (state): Line => [
      span(`  ${stateGlyph(state, theme)} ${state.padEnd(10)}`, stateStyle(state)),
      span(STATE_MEANINGS[state], DIM),
    ],
  )
  if (width < 100) return [...keys, [], [span('  States', BOLD)], ...states]
  const left = Math.floor(width / 2)
  const rows = Math.max(keys.length, states.length)
  return [
    [],
    ...Array.from({ length: rows }, (_, row) => [
      ...fitLine(keys[row] ?? [], left, theme),
      ...(states[row] ?? []),
    ]),
  ]
}

const STATE_MEANINGS: Readonly<Record<(typeof AGENT_STATES)[number], string>> = {
  waiting: 'waits for your answer',
  failed: 'its program ended, or its turn broke',
  stalled: 'nothing moved for long',
  unknown: 'could not be asked',
  limited: 'out of quota for a while',
  starting: 'its program comes up',
  working: 'in the middle of a turn',
  idle: 'finished its turn',
  done: 'its bead is merged',
  stopped: 'ended by you or gt',
}
