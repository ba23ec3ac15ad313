import { cellWidth, takeCells } from './cells.js'
import { dropUncertain, sanitise, stripEscapes, toAscii } from './sanitise.js'
import type { Theme } from './theme.js'

/** `fg` and `bg` are SGR parameters: `33`, `38;5;208`. */
export interface Style {
  fg?: string
  bg?: string
  bold?: boolean
  dim?: boolean
  italic?: boolean
  underline?: boolean
  inverse?: boolean
  strike?: boolean
}

/** A piece of one line. `text` is already safe: made by `span` or `parseScreenLine`. */
export interface Span {
  text: string
  style: Style
}

/** One line of a frame before it becomes escape codes. */
export type Line = readonly Span[]

/** The only way text gets into a frame: sanitises it. */
export function span(text: string, style: Style = {}): Span {
  return { text: sanitise(text), style }
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, part) => sum + cellWidth(part.text), 0)
}

/** Exactly `cells` wide: cut with an ellipsis, or padded in the style `pad`. */
export function fitLine(line: Line, cells: number, theme: Theme, pad: Style = {}): Line {
  const width = lineWidth(line)
  if (width === cells) return line
  if (width < cells) return [...line, { text: ' '.repeat(cells - width), style: pad }]
  const kept: Span[] = []
  let room = cells - 1
  for (const part of line) {
    const text = takeCells(part.text, room)
    kept.push({ text, style: part.style })
    room -= cellWidth(text)
    if (text !== part.text) break
  }
  const last = kept.at(-1)?.style ?? {}
  return cells <= 0 ? [] : [...kept, { text: theme.glyphs.ellipsis + ' '.repeat(room), style: last }]
}

/** Two ends of one line; the left one gives way. */
export function spread(left: Line, right: Line, cells: number, theme: Theme): Line {
  const rightWidth = lineWidth(right)
  if (rightWidth >= cells) return fitLine(right, cells, theme)
  return [...fitLine(left, cells - rightWidth, theme), ...right]
}

/** Escape codes of a line, every style closed again; colours only where the theme has them. */
export function paintLine(line: Line, theme: Theme): string {
  return line.map((part) => paintSpan(part, theme)).join('')
}

function paintSpan({ text, style }: Span, theme: Theme): string {
  const shown = theme.unicode ? text : toAscii(text)
  const codes = sgrCodes(style, theme)
  if (codes.length === 0 || shown === '') return shown
  return `${codes.map((code) => `\u001b[${code}m`).join('')}${shown}\u001b[0m`
}

function sgrCodes(style: Style, theme: Theme): string[] {
  const codes: string[] = []
  if (style.bold) codes.push('1')
  if (style.dim) codes.push('2')
  if (style.italic) codes.push('3')
  if (style.underline) codes.push('4')
  if (style.inverse) codes.push('7')
  if (style.strike) codes.push('9')
  if (theme.colour && style.fg !== undefined) codes.push(style.fg)
  if (theme.colour && style.bg !== undefined) codes.push(style.bg)
  return codes
}

/** A line of an agent's screen: its colours are kept, every other escape sequence goes. */
export function parseScreenLine(text: string): Line {
  const line: Span[] = []
  let style: Style = {}
  let from = 0
  for (const match of text.matchAll(SGR)) {
    line.push(...screenSpan(text.slice(from, match.index), style))
    style = applySgr(style, match[1] ?? '')
    from = match.index + match[0].length
  }
  line.push(...screenSpan(text.slice(from), style))
  return expandTabs(line)
}

const SGR = /\u001b\[([0-9;:]*)m/g

function screenSpan(text: string, style: Style): Span[] {
  const safe = dropUncertain(
    stripEscapes(text).replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, ''),
  )
  return safe === '' ? [] : [{ text: safe, style }]
}

function expandTabs(line: Line): Line {
  if (!line.some((part) => part.text.includes('\t'))) return line
  let column = 0
  return line.map(({ text, style }) => {
    let out = ''
    for (const [index, piece] of text.split('\t').entries()) {
      const gap = index === 0 ? 0 : 8 - (column % 8)
      out += ' '.repeat(gap) + piece
      column += gap + cellWidth(piece)
    }
    return { text: out, style }
  })
}

/** Parameters as in ECMA-48 SGR, colons of the 38/48/4 forms included; what is not understood is left out. */
function applySgr(style: Style, parameters: string): Style {
  let next: Style = { ...style }
  const groups = parameters.split(';')
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] ?? ''
    const code = Number.parseInt(group === '' ? '0' : group, 10)
    // 58, the colour of the underline, is read over: few terminals have it.
    if (code === 38 || code === 48 || code === 58) {
      const rest = group.includes(':') ? colonColour(group) : groups.slice(i + 1)
      const colour = readColour(rest)
      if (!group.includes(':')) i += rest[0] === '5' ? 2 : rest[0] === '2' ? 4 : 0
      if (colour !== undefined && code !== 58)
        next = { ...next, [code === 38 ? 'fg' : 'bg']: `${code};${colour}` }
      continue
    }
    next = code === 4 && group === '4:0' ? { ...next, underline: false } : applyCode(next, code)
  }
  return next
}

/** `38:2::r:g:b` and `38:2:r:g:b` are both in use. */
function colonColour(group: string): string[] {
  const parts = group.split(':').slice(1)
  return parts[0] === '2' && parts.length >= 5 ? ['2', ...parts.slice(-3)] : parts
}

function readColour(parts: readonly string[]): string | undefined {
  const count = parts[0] === '5' ? 2 : parts[0] === '2' ? 4 : 0
  const used = parts.slice(0, count)
  const valid =
    count > 0 && used.length === count && used.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
  return valid ? used.join(';') : undefined
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return {}
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) return { ...style, fg: String(code) }
  if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) return { ...style, bg: String(code) }
  const change = SGR_FLAGS[code]
  if (change !== undefined) return { ...style, ...change }
  const { fg, bg, ...flags } = style
  if (code === 39) return bg === undefined ? flags : { ...flags, bg }
  if (code === 49) return fg === undefined ? flags : { ...flags, fg }
  return style
}

const SGR_FLAGS: Readonly<Record<number, Style>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
}
