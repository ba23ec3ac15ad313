import type { Hints } from './components/bottom-line.js'
import type { Theme } from './theme.js'
import type { Screen } from './ui-state.js'

const BACK_HINTS: Hints = [
  ['j/k', 'move'],
  ['?', 'help'],
  ['q', 'back'],
]

/** What the bottom line offers on each screen. */
/** @param asks - whether the agent in sight waits for an answer */
export function hintsFor(screen: Screen, theme: Theme, asks = false): Hints {
  const rest = screenHints(screen, theme)
  return asks && (screen.kind === 'town' || screen.kind === 'peek') ? [...ANSWER_HINTS, ...rest] : rest
}

const ANSWER_HINTS: Hints = [
  ['a', 'allow'],
  ['A', 'always'],
  ['d', 'deny'],
  ['t', 'answer in words'],
]

function screenHints(screen: Screen, theme: Theme): Hints {
  const { enter } = theme.glyphs
  switch (screen.kind) {
    case 'town':
      return [
        [enter, 'attach'],
        ['Space', 'peek'],
        ['i', 'reply'],
        ['n', 'new'],
        ['m', 'queue'],
        ['c', 'convoys'],
        ['/', 'filter'],
        ['D', 'stop'],
        ['?', 'help'],
        ['q', 'quit'],
      ]
    case 'peek':
      return [
        ['j/k', 'scroll'],
        ['G', 'newest'],
        ['i', 'reply'],
        [enter, 'attach'],
        ['D', 'stop'],
        ['?', 'help'],
        ['q', 'back'],
      ]
    case 'queue':
      return [['j/k', 'move'], ['r', 'retry'], ...BACK_HINTS.slice(1)]
    case 'convoys':
    case 'problems':
      return BACK_HINTS
    case 'help':
      return [
        ['j/k', 'scroll'],
        ['q', 'back'],
        ['Ctrl-c', 'quit'],
      ]
  }
}
