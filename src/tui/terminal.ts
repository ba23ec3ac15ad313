// Only `bin.ts` touches `process`; the two listeners here are the exception, because a crash anywhere in the program must
// give the terminal back before Node prints the error, and only while a dashboard is open.
import process from 'node:process'
import { cellWidth } from './cells.js'

/** The whole screen, ours from `openTerminal` to `close`. */
export interface Terminal {
  /** Shows a frame: lines separated by `\n`. Only lines that changed are written, in one piece. */
  show(frame: string): void
  /** Writes every line again with the next frame, and now. */
  repaint(): void
  /** Gives the screen away, as it was before; frames are kept back until `resume`. */
  suspend(): void
  resume(): void
  /** Repeatable. */
  close(): void
}

/** Alternate screen, hidden cursor, no line wrap (a misjudged width cannot break the next line), marked pastes. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[?2004h\u001b[2J'
const LEAVE = '\u001b[0m\u001b[?2004l\u001b[?7h\u001b[?25h\u001b[?1049l'
/** Synchronized update: terminals that know it show the frame at once, others ignore it. */
const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'

export function openTerminal(stdout: NodeJS.WriteStream): Terminal {
  let newest = ''
  let shown: readonly string[] = []
  let isOurs = false
  let isBehind = false

  const enter = (): void => {
    isOurs = true
    shown = []
    stdout.write(ENTER)
  }
  const leave = (): void => {
    if (!isOurs) return
    isOurs = false
    stdout.write(LEAVE)
  }
  const paint = (): void => {
    if (!isOurs || isBehind || newest === '') return
    const lines = newest.split('\n')
    const changes = lineChanges(shown, lines)
    shown = lines
    if (changes === '') return
    // A slow connection gets the newest frame when it is ready again, not all of them.
    if (!stdout.write(BEGIN + changes + END)) isBehind = true
  }
  const onDrain = (): void => {
    isBehind = false
    paint()
  }
  // A terminal moves and cuts its lines as it likes when its size changes: nothing of what was shown can be relied on.
  const onResize = (): void => {
    shown = []
  }
  stdout.on('drain', onDrain)
  stdout.on('resize', onResize)
  process.on('uncaughtExceptionMonitor', leave)
  process.on('exit', leave)
  enter()

  return {
    show: (frame) => {
      newest = frame
      paint()
    },
    repaint: () => {
      if (!isOurs) return
      shown = []
      stdout.write('\u001b[0m\u001b[2J')
      paint()
    },
    suspend: leave,
    resume: () => {
      if (!isOurs) enter()
      paint()
    },
    close: () => {
      leave()
      stdout.off('drain', onDrain)
      stdout.off('resize', onResize)
      process.off('uncaughtExceptionMonitor', leave)
      process.off('exit', leave)
    },
  }
}

/** Escape codes that turn the lines shown before into the new ones. */
export function lineChanges(before: readonly string[], now: readonly string[]): string {
  let out = ''
  for (const [index, line] of now.entries()) {
    // Erasing first: after a line that fills the width, erasing to the end would take its last cell.
    if (line !== before[index]) out += `\u001b[${index + 1};1H\u001b[0m\u001b[2K${anchored(line)}\u001b[0m`
  }
  for (let row = now.length; row < before.length; row++) out += `\u001b[${row + 1};1H\u001b[2K`
  return out
}

/**
 * Says after every run of characters whose width terminals may see differently (scripts, emoji) in which column the line
 * goes on, so that a disagreement stays within that run and never shifts a border.
 */
export function anchored(line: string): string {
  if (!UNCERTAIN.test(line)) return line
  let out = ''
  let column = 1
  for (const [piece, code, certain] of line.matchAll(PIECES)) {
    out += piece
    if (code !== undefined) continue
    column += cellWidth(piece)
    if (certain === undefined) out += `\u001b[${column}G`
  }
  return out
}

/** ASCII, box drawing, blocks and those of our glyphs that are one cell in every font and terminal. */
const UNCERTAIN = /[^\u001b\x20-\x7e\u2500-\u259f…·−✓✕❯↑↓→]/u
const PIECES =
  /(\u001b\[[0-9;]*m)|([\x20-\x7e\u2500-\u259f…·−✓✕❯↑↓→]+)|[^\u001b\x20-\x7e\u2500-\u259f…·−✓✕❯↑↓→]+/gu
