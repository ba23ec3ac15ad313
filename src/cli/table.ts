/** Columns for people: plain text, two spaces between, the last one free to run. */
export function table(rows: readonly (readonly string[])[], header?: readonly string[]): string[] {
  const all = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  // Plain loops: a thousand rows are printed before the engine has warmed up to anything cleverer.
  for (const row of all) {
    for (let i = 0; i < row.length - 1; i++) {
      const length = row[i]?.length ?? 0
      if (length > (widths[i] ?? 0)) widths[i] = length
    }
  }
  return all.map((row) => {
    let line = ''
    for (let i = 0; i < row.length - 1; i++) line += `${(row[i] ?? '').padEnd(widths[i] ?? 0)}  `
    return (line + (row.at(-1) ?? '')).trimEnd()
  })
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** One line without control characters, cut to `length`. */
export function plain(text: string, length = 200): string {
  const clean = CONTROL.test(text) ? text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ') : text
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
