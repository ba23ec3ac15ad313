import type { AgentState } from '../domain/session.js'
import { STATE_GLYPHS } from '../domain/session.js'
import type { Style } from './line.js'

/** What this terminal can show. Shape and words carry every meaning; colour only repeats it. */
export interface Theme {
  colour: boolean
  unicode: boolean
  glyphs: Glyphs
}

const UNICODE_GLYPHS = {
  ellipsis: '…',
  rule: '─',
  bar: '│',
  teeDown: '┬',
  teeUp: '┴',
  marker: '▌',
  dot: '·',
  minus: '−',
  warn: '⚠',
  check: '✓',
  pending: '○',
  active: '●',
  waits: '◐',
  cross: '✕',
  pause: '⏸',
  arrow: '→',
  up: '↑',
  down: '↓',
  enter: '↵',
  full: '█',
  dense: '▓',
  medium: '▒',
  light: '░',
  prompt: '❯',
}
export type Glyphs = typeof UNICODE_GLYPHS

const ASCII_GLYPHS: Glyphs = {
  ellipsis: '~',
  rule: '-',
  bar: '|',
  teeDown: '+',
  teeUp: '+',
  marker: '>',
  dot: '-',
  minus: '-',
  warn: '!',
  check: '+',
  pending: 'o',
  active: '*',
  waits: '?',
  cross: 'x',
  pause: '=',
  arrow: '>',
  up: '^',
  down: 'v',
  enter: 'Enter',
  full: '#',
  dense: '=',
  medium: '-',
  light: '.',
  prompt: '>',
}

/** @see https://no-color.org: any value but the empty one; locale precedence as in locale(7) */
export function themeFor(env: Readonly<Record<string, string | undefined>>): Theme {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  const unicode = /utf-?8/i.test(locale) && env.TERM !== 'linux' && env.TERM !== 'dumb'
  const colour = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  return { colour, unicode, glyphs: unicode ? UNICODE_GLYPHS : ASCII_GLYPHS }
}

export function stateGlyph(state: AgentState, theme: Theme): string {
  return STATE_GLYPHS[state][theme.unicode ? 0 : 1]
}

/** The 16 colours of the terminal's own palette, so that light and dark themes both work. */
export const RED = '31'
export const GREEN = '32'
export const YELLOW = '33'
export const BLUE = '34'
export const CYAN = '36'

export const DIM: Style = { dim: true }
export const BOLD: Style = { bold: true }

const STATE_STYLES: Readonly<Record<AgentState, Style>> = {
  waiting: { fg: YELLOW, bold: true },
  failed: { fg: RED, bold: true },
  stalled: { fg: YELLOW },
  unknown: { fg: YELLOW },
  limited: { fg: CYAN },
  starting: { fg: GREEN },
  working: { fg: GREEN },
  idle: { fg: BLUE },
  done: { fg: CYAN },
  stopped: { dim: true },
}

export function stateStyle(state: AgentState): Style {
  return STATE_STYLES[state]
}
