import stringWidth from 'string-width'

/** Display cells that sanitised text takes. */
export function cellWidth(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : stringWidth(text)
}

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/

/** User-perceived characters; the unit of cutting and of the cursor. */
export function graphemes(text: string): string[] {
  if (PRINTABLE_ASCII.test(text)) return text.split('')
  return Array.from(new Intl.Segmenter().segment(text), (part) => part.segment)
}

/** The longest beginning of `text` that takes at most `cells`; never half a wide character. */
export function takeCells(text: string, cells: number): string {
  if (PRINTABLE_ASCII.test(text)) return text.slice(0, Math.max(0, cells))
  let taken = ''
  let used = 0
  for (const part of graphemes(text)) {
    const width = cellWidth(part)
    if (used + width > cells) break
    taken += part
    used += width
  }
  return taken
}

/** Cut to `cells`, with `ellipsis` (one cell) as the last one when something is missing. */
export function cutCells(text: string, cells: number, ellipsis: string): string {
  if (cells <= 0) return ''
  if (cellWidth(text) <= cells) return text
  return takeCells(text, cells - 1) + ellipsis
}

/** Breaks at spaces where it can; at most `maxLines`, the last one cut. */
export function wrapCells(text: string, cells: number, maxLines: number, ellipsis: string): string[] {
  const lines: string[] = []
  let rest = text.trim()
  while (rest !== '' && lines.length < maxLines - 1 && cellWidth(rest) > cells) {
    const head = takeCells(rest, cells)
    const space = rest[head.length] === ' ' ? head.length : head.lastIndexOf(' ')
    const end = space > cells / 3 ? space : Math.max(1, head.length)
    lines.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
  }
  if (rest !== '') lines.push(cutCells(rest, cells, ellipsis))
  return lines
}
