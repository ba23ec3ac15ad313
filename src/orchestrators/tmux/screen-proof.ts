import type { ScreenView } from './capture-screen.js'

/**
 * Proof, from captured screens alone, that pasted text arrived in a program's input box. Programs wrap it, indent it, draw
 * a frame around it, scroll to its end, or fold it into a line such as "[Pasted ~60 lines]".
 */
export type Arrival = 'text' | 'folded'

const TAIL_LENGTH = 24

/** Claude, Codex, Gemini, OpenCode: `[Pasted text #1 +12 lines]`, `[Pasted Content 1234 chars]`, `[Pasted ~60 lines]`. */
const FOLDED = /\[\s*pasted\b[^\]]*\]/gi

/** Letters, digits and ASCII signs: what survives wrapping, frames, and a terminal's idea of an emoji's width. */
function essence(text: string): string {
  return text.replace(/[^\p{L}\p{N}\u0021-\u007e]|[|]/gu, '')
}

/** The end of the text is what an input box shows, however long the text. */
export function tailMarker(payload: string): string {
  return [...essence(payload)].slice(-TAIL_LENGTH).join('')
}

/** @returns how the text shows in `after`; undefined when nothing on the screen speaks for it */
export function provenArrival(
  before: readonly string[],
  after: readonly string[],
  payload: string,
): Arrival | undefined {
  const shown = after.join('\n')
  const hasChanged = shown !== before.join('\n')
  if (!hasChanged) return undefined
  const marker = tailMarker(payload)
  // Too short to tell from what else is on the screen: one more than before, or a changed screen when there is no text at all.
  if (marker.length < 4)
    return marker === '' || count(after, marker) > count(before, marker) ? 'text' : undefined
  if (essence(shown).includes(marker)) return 'text'
  return (shown.match(FOLDED) ?? []).length > 0 ? 'folded' : undefined
}

function count(lines: readonly string[], marker: string): number {
  return essence(lines.join('\n')).split(marker).length - 1
}

/**
 * The row, from the top, in which the text (or its fold) last ends.
 * After a submit it moves up into the transcript, or goes; as long as it stays, the Enter was lost.
 */
export function arrivalRow(lines: readonly string[], payload: string): number | undefined {
  const marker = tailMarker(payload)
  const whole = essence(lines.join('\n'))
  const at = marker === '' ? -1 : whole.lastIndexOf(marker)
  if (at < 0) {
    const folded = lines.findLastIndex((line) => line.search(FOLDED) >= 0)
    return folded < 0 ? undefined : folded
  }
  let length = 0
  for (const [row, line] of lines.entries()) {
    length += essence(line).length
    if (length >= at + marker.length) return row
  }
  return undefined
}

/** Enter that was lost, or became a new line in the box, leaves the text where it was or a row off. */
export function isStillInInput(before: readonly string[], now: readonly string[], payload: string): boolean {
  const rowBefore = arrivalRow(before, payload)
  const rowNow = arrivalRow(now, payload)
  return rowBefore !== undefined && rowNow !== undefined && Math.abs(rowNow - rowBefore) <= 1
}

/**
 * Whether Enter took effect: the text moved or went, or the cursor did (a program that reads lines leaves what was typed
 * where it is). Stricter than `isStillInInput`: it decides alone, and a line program would take another Enter for a line.
 */
export function isLeft(waiting: ScreenView, now: ScreenView, payload: string): boolean {
  if (waiting.cursor !== now.cursor) return true
  const row = arrivalRow(waiting.lines, payload)
  if (row === undefined) return waiting.lines.join('\n') !== now.lines.join('\n')
  return arrivalRow(now.lines, payload) !== row
}
