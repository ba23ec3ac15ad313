import { cellWidth, graphemes } from './cells.js'

/**
 * Makes text of unknown origin (titles, error messages, screens) safe to place in a frame: one line, no escape
 * sequences, and only characters whose width every terminal agrees on.
 */
export function sanitise(text: string): string {
  if (PLAIN.test(text)) return text
  return dropUncertain(stripEscapes(text).replace(LINE_BREAKS, ' ').replace(CONTROLS, ''))
}

/** What a text field accepts as typed or pasted: all but control characters, so that emoji reach the agent whole. */
export function typedText(text: string): string {
  return stripEscapes(text).replace(LINE_BREAKS, ' ').replace(CONTROLS, '')
}

const PLAIN = /^[\x20-\x7e]*$/
const LINE_BREAKS = /\r\n|[\t\n\v\f\r\u0085\u2028\u2029]/g
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

/** OSC, DCS, SOS, PM and APC strings with their end (or all that follows), CSI sequences, then any other escape. */
const ESCAPES =
  /(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c|$)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?/g

export function stripEscapes(text: string): string {
  return text.replace(ESCAPES, '')
}

/**
 * Terminals count these differently or reorder the row by them: format characters (bidi controls, zero-width joiners),
 * variation selectors, skin tones, keycaps, unassigned code points, conjoining jamo that NFC left over. An emoji
 * sequence falls apart into its plain emoji, Thai and Lao AM into its two halves. Stacks of combining marks are cut to two.
 */
export function dropUncertain(text: string): string {
  if (PLAIN.test(text)) return text
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .normalize('NFC')
    .replace(
      /[\p{Cf}\p{Variation_Selector}\p{Emoji_Modifier}\p{Me}\u115f\u1160-\u11ff\u3164\uffa0\ud7b0-\ud7ff]/gu,
      '',
    )
    .replace(/\p{Regional_Indicator}/gu, regionalLetter)
    .replaceAll('\u0e33', '\u0e4d\u0e32')
    .replaceAll('\u0eb3', '\u0ecd\u0eb2')
    .replace(/\p{Cn}/gu, '\ufffd')
    .replace(/(\p{Mn}{2})\p{Mn}+/gu, '$1')
    .replace(/^\p{Mn}+/u, '')
}

/** Flags are two cells here and four there; their letters are one cell each everywhere. */
function regionalLetter(flagHalf: string): string {
  return String.fromCharCode((flagHalf.codePointAt(0) ?? 0) - 0x1f1e6 + 65)
}

/**
 * For terminals without UTF-8: box lines and blocks become their ASCII cousins, accents are dropped, the rest is `?`.
 * Every character keeps its number of cells, so that it can be done after the layout.
 */
export function toAscii(text: string): string {
  if (PLAIN.test(text)) return text
  return graphemes(text).map(asciiCousin).join('')
}

function asciiCousin(grapheme: string): string {
  if (PLAIN.test(grapheme)) return grapheme
  const cells = cellWidth(grapheme)
  const cousin = ASCII_COUSINS.find(([range]) => range.test(grapheme))?.[1]
  const folded = cousin ?? grapheme.normalize('NFKD').replace(/[^\x20-\x7e]/gu, '')
  return folded === '' ? '?'.repeat(cells) : folded.slice(0, cells).padEnd(cells)
}

const ASCII_COUSINS: readonly (readonly [RegExp, string])[] = [
  [/[─━┄┅┈┉╌╍═‐‑–—−]/u, '-'],
  [/[│┃┆┇┊┋╎╏║▌▐▏▕❯]/u, '|'],
  [/[\u2500-\u257f]/u, '+'],
  [/[\u2580-\u259f]/u, '#'],
  [/[‘’]/u, "'"],
  [/[“”]/u, '"'],
  [/[●•⏺]/u, '*'],
  [/[·]/u, '-'],
  [/[→]/u, '>'],
]
