/**
 * One order for the lines of two versions of an append-only file: those of `reference` keep theirs, and a line that only
 * `live` holds stands behind every line that stands before it there. Each line once.
 */
export function mergeLines(reference: readonly string[], live: readonly string[]): string[] {
  const places = new Map<string, number>()
  for (const [place, line] of reference.entries()) if (!places.has(line)) places.set(line, place)
  const behind = new Map<number, string[]>()
  const seen = new Set<string>()
  let last = -1
  for (const line of live) {
    const place = places.get(line)
    if (place !== undefined) last = Math.max(last, place)
    else if (!seen.has(line)) append(behind, last, line)
    seen.add(line)
  }
  const merged = [...(behind.get(-1) ?? [])]
  for (const [line, place] of places) merged.push(line, ...(behind.get(place) ?? []))
  return merged
}

function append(lists: Map<number, string[]>, key: number, line: string): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [line])
  else list.push(line)
}
