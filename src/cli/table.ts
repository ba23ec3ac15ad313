/** Columns for people: plain text, two spaces between, the last one free to run. */
export function table(rows: readonly (readonly string[])[], header?: readonly string[]): string[] {
  const all = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  for (const row of all) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return all.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** One line without control characters, cut to `length`. */
export function plain(text: string, length = 200): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
  return clean.length > length ? `${clean.slice(0, length - 1)}…` : clean
}

/** Free text of several lines without control characters that could drive the terminal. */
export function plainLines(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}

/** `3m`, `2h`, `5d`: how long ago. */
export function age(at: string | undefined, nowMs: number): string {
  if (at === undefined) return '-'
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(at)) / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** `[####----] 3/8` */
export function progressBar(done: number, total: number, width = 16): string {
  const filled = total === 0 ? 0 : Math.round((done / total) * width)
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${done}/${total}`
}
