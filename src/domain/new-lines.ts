/**
 * What a growing screen shows now that it did not show before.
 * The longest end of `before` that is also inside `now` is where reading goes on; a redrawn screen gives its changed lines.
 */
export function newLines(before: readonly string[], now: readonly string[]): string[] {
  for (let skip = 0; skip < before.length; skip++) {
    const kept = before.slice(skip)
    if (kept.every((line, i) => now[i] === line)) return now.slice(kept.length)
  }
  // Nothing of the old screen is left at the top: the lines that were not there, in order.
  const old = new Set(before)
  return now.filter((line) => line.trim() !== '' && !old.has(line))
}
