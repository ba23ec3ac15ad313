import { beadFrom } from '../domain/bead.js'
import { type DependencyType, findCycle, isOrdering, targetsOf } from '../domain/dependency.js'
import { ConflictError } from '../domain/errors.js'
import type { View } from '../ports/ledger.js'

const SAID: Record<string, [verb: string, joint: string]> = {
  blocks: ['wait for', ' waits for '],
  'parent-child': ['be a child of', ' is a child of '],
}

/** @throws ConflictError code `dependency-cycle` when tying `bead` to `target` would close a circle */
export function refuseCircle(
  view: View,
  bead: { id: string; shownId: string },
  target: { id: string; shownId: string },
  type: DependencyType,
): void {
  if (!isOrdering(type)) return
  const circle = findCycle(bead.id, target.id, (key) => {
    const entity = view.get(key)
    return entity?.kind === 'bead' ? targetsOf(beadFrom(entity).deps, type) : []
  })
  if (circle === undefined) return
  const shown = circle.map((key) => view.get(key)?.shownId ?? (key === bead.id ? bead.shownId : key))
  const [verb, joint] = SAID[type] ?? ['depend on', ' depends on ']
  throw new ConflictError(`${bead.shownId} cannot ${verb} ${target.shownId}: that closes a circle`, {
    code: 'dependency-cycle',
    hint: `the circle: ${shown.join(joint)}`,
    details: { circle: shown },
  })
}
