import { type Bead, beadFrom } from '../domain/bead.js'
import {
  DEPENDENCY_TYPES,
  type DependencyType,
  dependencyElement,
  dependencyParts,
  targetsOf,
} from '../domain/dependency.js'
import { ConflictError } from '../domain/errors.js'
import type { View } from '../ports/ledger.js'
import { changeBead, untiedWhenCircular } from './change-bead.js'
import { getBead } from './find-entity.js'
import { refuseCircle } from './refuse-circle.js'
import type { Town } from './town.js'

/**
 * Ties a bead to another.
 * @throws ConflictError code `dependency-cycle`, `has-parent`
 */
export function addDependency(town: Town, typed: string, typedTarget: string, type: DependencyType): Bead {
  const target = getBead(town.ledger.read(), typedTarget)
  const bead = changeBead(town, typed, (bead, view) => {
    refuseCircle(view, bead, target, type)
    refuseSecondParent(view, bead, target.id, type)
    const element = dependencyElement(type, target.id)
    return bead.deps.includes(element) ? [] : [{ o: 'add', id: bead.id, f: 'deps', x: [element] }]
  })
  return untiedWhenCircular(town, bead, target, type)
}

function refuseSecondParent(view: View, bead: Bead, target: string, type: DependencyType): void {
  const parent = targetsOf(bead.deps, 'parent-child').find((key) => key !== target)
  if (type !== 'parent-child' || parent === undefined) return
  const shown = view.get(parent)?.shownId ?? parent
  throw new ConflictError(`${bead.shownId} is a child of ${shown} already`, {
    code: 'has-parent',
    hint: `gt bead update ${bead.shownId} --parent ${view.get(target)?.shownId ?? target} moves it`,
    details: { parent },
  })
}

/**
 * @param type - undefined: every type
 * @throws ConflictError code `no-dependency` when there is nothing to remove
 */
export function removeDependency(
  town: Town,
  typed: string,
  typedTarget: string,
  type: DependencyType | undefined,
): Bead {
  return changeBead(town, typed, (bead, view) => {
    const target = dependencyTarget(view, bead, typedTarget)
    const elements = bead.deps.filter((dep) => {
      const parts = dependencyParts(dep)
      return parts.target === target && (type === undefined || parts.type === type)
    })
    if (elements.length > 0) return [{ o: 'del', id: bead.id, f: 'deps', x: elements }]
    throw new ConflictError(`${bead.shownId} does not depend on ${typedTarget}`, {
      code: 'no-dependency',
      hint: `gt bead show ${bead.shownId}`,
    })
  })
}

/** What it names may be nowhere here: an import brings such ties. */
function dependencyTarget(view: View, bead: Bead, typed: string): string {
  return bead.deps.some((dep) => dependencyParts(dep).target === typed) ? typed : getBead(view, typed).id
}

export interface Relation {
  type: string
  key: string
  shownId: string
  /** Undefined: there is no such bead here. */
  title?: string
  status?: Bead['status']
}

/** What a bead names, and what names it. */
export function relationsOf(view: View, bead: Bead): { to: Relation[]; from: Relation[] } {
  const to = bead.deps.map((dep) => {
    const { type, target } = dependencyParts(dep)
    return relation(view, type, target)
  })
  // A type that nobody here knows has no meaning in reverse.
  const from = DEPENDENCY_TYPES.flatMap((type) =>
    view
      .referrers('bead', 'deps', dependencyElement(type, bead.id))
      .map((entity) => relation(view, type, entity.id)),
  )
  return { to, from }
}

function relation(view: View, type: string, key: string): Relation {
  const entity = view.get(key)
  if (entity?.kind !== 'bead') return { type, key, shownId: key }
  const { shownId, title, status } = beadFrom(entity)
  return { type, key, shownId, title, status }
}

export interface TreeNode extends Relation {
  children: TreeNode[]
  /** Shown above already: not opened again. */
  isRepeated: boolean
}

/** What must be done for a bead: its children and what it waits for, and theirs. With `up`, what waits for it and its parents. */
export function dependencyTree(view: View, bead: Bead, up: boolean): TreeNode {
  const seen = new Set<string>()
  const grow = (from: Relation): TreeNode => {
    const isRepeated = seen.has(from.key)
    seen.add(from.key)
    const entity = isRepeated ? undefined : view.get(from.key)
    const next = entity?.kind === 'bead' ? steps(view, beadFrom(entity), up) : []
    return { ...from, isRepeated, children: next.map(grow) }
  }
  return grow({ type: 'root', key: bead.id, shownId: bead.shownId, title: bead.title, status: bead.status })
}

function steps(view: View, bead: Bead, up: boolean): Relation[] {
  const named = (type: DependencyType) => targetsOf(bead.deps, type).map((key) => relation(view, type, key))
  const naming = (type: DependencyType) =>
    view
      .referrers('bead', 'deps', dependencyElement(type, bead.id))
      .map((entity) => relation(view, type, entity.id))
  return up
    ? [...naming('blocks'), ...named('parent-child')]
    : [...named('blocks'), ...naming('parent-child')]
}
