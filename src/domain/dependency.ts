import { UsageError } from './errors.js'
import { printable } from './ids.js'

/**
 * How a bead can be tied to another. Only `blocks` holds work back; of `blocks` and `parent-child` there is never a circle.
 * Imported beads may carry other types: they are kept and shown, and mean nothing here.
 */
export const DEPENDENCY_TYPES = ['blocks', 'parent-child', 'related', 'discovered-from'] as const
export type DependencyType = (typeof DEPENDENCY_TYPES)[number]

export function dependencyType(text: string): DependencyType {
  const type = DEPENDENCY_TYPES.find((candidate) => candidate === text)
  if (type !== undefined) return type
  throw new UsageError(`"${printable(text)}" is no type of dependency`, {
    code: 'bad-dependency-type',
    hint: `one of ${DEPENDENCY_TYPES.join(', ')}`,
  })
}

/** Element of the `deps` set. */
export function dependencyElement(type: string, target: string): string {
  return `${type}:${target}`
}

export function dependencyParts(element: string): { type: string; target: string } {
  const colon = element.indexOf(':')
  return { type: element.slice(0, colon), target: element.slice(colon + 1) }
}

/** Keys that `deps` names with this type. */
export function targetsOf(deps: readonly string[], type: DependencyType): string[] {
  return deps.filter((dep) => dep.startsWith(`${type}:`)).map((dep) => dep.slice(type.length + 1))
}

/** Whether a circle of this type would be a contradiction. */
export function isOrdering(type: DependencyType): boolean {
  return type === 'blocks' || type === 'parent-child'
}

/**
 * Whether making `bead` wait for `blocker` would close a circle.
 * @param blockersOf - keys of what a bead waits for now
 * @returns the circle as a path of keys, bead first and last; undefined when there is none
 */
export function findCycle(
  bead: string,
  blocker: string,
  blockersOf: (key: string) => readonly string[],
): string[] | undefined {
  // A loop and not a recursion: chains of dependencies may be longer than the stack is deep.
  const reachedFrom = new Map<string, string | undefined>([[blocker, undefined]])
  for (const key of reachedFrom.keys()) {
    if (key === bead) return [bead, ...pathBack(reachedFrom, bead)]
    for (const next of blockersOf(key)) if (!reachedFrom.has(next)) reachedFrom.set(next, key)
  }
  return undefined
}

/** From where the search began to `end`. */
function pathBack(reachedFrom: ReadonlyMap<string, string | undefined>, end: string): string[] {
  const path: string[] = []
  for (let key: string | undefined = end; key !== undefined; key = reachedFrom.get(key)) path.unshift(key)
  return path
}
