import { cellWidth, wrapCells } from '../cells.js'
import { firstFitting } from '../layout.js'
import { type Line, lineWidth, type Style, span } from '../line.js'
import { inputWindow } from '../line-input.js'
import { sanitise } from '../sanitise.js'
import { BOLD, CYAN, DIM, GREEN, RED, type Theme, YELLOW } from '../theme.js'
import type { Message, Prompt } from '../ui-state.js'
import { Lines } from './lines.js'

/** Keys and what they do, most important first. */
export type Hints = readonly (readonly [string, string])[]

interface BottomLineProps {
  prompt: Prompt | undefined
  message: Message | undefined
  hints: Hints
  width: number
  theme: Theme
}

/** A prompt, else a message, else key hints. */
export function BottomLine(props: BottomLineProps) {
  const lines = bottomLines(props)
  return <Lines lines={lines} width={props.width} height={lines.length} theme={props.theme} />
}

/** A long message may take three lines: the person must be able to read an error to its end. */
export function bottomLines({ prompt, message, hints, width, theme }: BottomLineProps): Line[] {
  if (prompt) return [promptLine(prompt, width, theme)]
  if (message) return messageLines(message, width, theme)
  return [hintLine(hints, width, theme)]
}

const MESSAGE_STYLES: Readonly<Record<Message['kind'], Style>> = {
  busy: { fg: CYAN },
  done: { fg: GREEN },
  error: { fg: RED, bold: true },
}

function messageLines({ kind, text }: Message, width: number, theme: Theme): Line[] {
  const glyph = { busy: theme.glyphs.ellipsis, done: theme.glyphs.check, error: theme.glyphs.cross }[kind]
  const wrapped = wrapCells(sanitise(text), width - 3, 3, theme.glyphs.ellipsis)
  return wrapped.map((line, index) => [
    span(index === 0 ? `${glyph} ` : '  ', MESSAGE_STYLES[kind]),
    span(line, MESSAGE_STYLES[kind]),
  ])
}

function promptLine(prompt: Prompt, width: number, theme: Theme): Line {
  if (prompt.kind === 'stop') {
    const question = span(`Stop ${prompt.agent}? Its session ends; its bead and branch stay. `, {
      fg: YELLOW,
      bold: true,
    })
    const short = span(`Stop ${prompt.agent}? `, { fg: YELLOW, bold: true })
    const line = firstFitting([[question], [short]], (candidate) => lineWidth(candidate) + 5, width) ?? [
      short,
    ]
    return [...line, span('[y/N]', BOLD)]
  }
  const label = span(`${promptLabel(prompt)} ${theme.glyphs.prompt} `, { fg: CYAN, bold: true })
  const hint = promptHint(prompt)
  const room = width - cellWidth(label.text) - 1
  const { before, under, after } = inputWindow(prompt.input, room)
  const typed = [span(before), span(under, { inverse: true }), span(after)]
  const ghost = prompt.input.characters.length === 0 ? [span(` ${hint}`, DIM)] : []
  return [label, ...typed, ...ghost]
}

function promptLabel(prompt: Exclude<Prompt, { kind: 'stop' }>): string {
  if (prompt.kind === 'reply') return `reply to ${prompt.agent}`
  if (prompt.kind === 'answer') return `answer ${prompt.agent}`
  return prompt.kind === 'new' ? 'new work' : 'filter'
}

function promptHint(prompt: Exclude<Prompt, { kind: 'stop' }>): string {
  if (prompt.kind === 'reply') return 'Enter sends, Esc cancels'
  if (prompt.kind === 'answer') return 'words: a permission is denied with them, a question answered'
  return prompt.kind === 'new'
    ? 'issue-123 proj, or "fix the login page" proj'
    : 'agent, state, bead; Enter keeps, Esc clears'
}

/** As many hints as fit, without breaking one; help and quit always stay. */
function hintLine(hints: Hints, width: number, theme: Theme): Line {
  const last = hints.slice(-2)
  const candidates = hints
    .slice(0, -2)
    .map((_, index, first) => [...first.slice(0, first.length - index), ...last])
  const chosen =
    firstFitting([...candidates, last], (list) => lineWidth(hintSpans(list, theme)), width) ?? last
  return hintSpans(chosen, theme)
}

function hintSpans(hints: Hints, theme: Theme): Line {
  return hints.flatMap(([key, word], index) => [
    span(index === 0 ? '' : ` ${theme.glyphs.dot} `, DIM),
    span(key, BOLD),
    span(` ${word}`, DIM),
  ])
}
