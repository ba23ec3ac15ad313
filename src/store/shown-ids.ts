/**
 * Generated keys (`prefix-` and 11 random characters) are shown by their first characters. What is shown must be the
 * same on every clone, so it follows from the set of keys alone: earlier births first, each as short as its `new` said
 * unless that is taken.
 */
export const MIN_SHOWN = 5

export interface Named {
  id: string
  /** Random characters to show; undefined: the whole key, always. */
  a?: number | undefined
  /** Mark of birth. */
  born: string
}

/** Length of the part of the key before the random characters. */
function headLength(key: string): number {
  return key.lastIndexOf('-') + 1
}

/** Only keys of one group can be shown alike. */
export function groupOf(key: string): string {
  return key.slice(0, headLength(key) + MIN_SHOWN)
}

export function shownForm(key: string, characters: number | undefined): string {
  return characters === undefined ? key : key.slice(0, headLength(key) + Math.max(characters, MIN_SHOWN))
}

/** @param group - all members of one group, in any order. @returns the shown id of each key */
export function assignShown(group: readonly Named[]): Map<string, string> {
  const shown = new Map<string, string>()
  const taken = new Set<string>()
  for (const { id } of group) {
    // A whole key wins over any abbreviation: it cannot be written in another way.
    taken.add(id)
  }
  const generated = group.filter((named) => named.a !== undefined)
  for (const named of group) if (named.a === undefined) shown.set(named.id, named.id)
  generated.sort((x, y) => (x.born < y.born ? -1 : x.born > y.born ? 1 : x.id < y.id ? -1 : 1))
  for (const { id, a } of generated) {
    const characters = freeLength(id, a ?? MIN_SHOWN, taken)
    const form = shownForm(id, characters)
    shown.set(id, form)
    taken.add(form)
  }
  return shown
}

/** @param taken - everything shown in the group of `key` */
export function freeLength(key: string, least: number, taken: ReadonlySet<string>): number {
  const longest = Math.max(key.length - headLength(key), MIN_SHOWN)
  let characters = Math.max(least, MIN_SHOWN)
  while (characters < longest && taken.has(shownForm(key, characters))) characters++
  return Math.min(characters, longest)
}
