/**
 * Finds the line of a key in TOML text, for error messages only: the parser gives values without positions.
 * Knows tables, arrays of tables and plain keys; a key inside an inline table or array gets the line it starts on.
 */
export function lineOfKey(text: string, path: readonly (string | number)[]): number | undefined {
  let best: { line: number; depth: number } | undefined
  let table: (string | number)[] = []
  const arrayCounts = new Map<string, number>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    const header = /^(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/.exec(line)
    let here: (string | number)[] | undefined
    if (header) {
      table = splitKey(header[2] ?? '')
      if (header[1] === '[[') {
        const count = (arrayCounts.get(table.join('\0')) ?? -1) + 1
        arrayCounts.set(table.join('\0'), count)
        table = [...table, count]
      }
      here = table
    } else {
      const key = /^((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/.exec(line)
      if (key) here = [...table, ...splitKey(key[1] ?? '')]
    }
    if (here && isPrefix(here, path) && (best === undefined || here.length > best.depth)) {
      best = { line: index + 1, depth: here.length }
    }
  }
  return best?.line
}

function splitKey(key: string): string[] {
  return [...key.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')
}

function isPrefix(prefix: readonly (string | number)[], path: readonly (string | number)[]): boolean {
  return prefix.length <= path.length && prefix.every((part, i) => String(part) === String(path[i]))
}
