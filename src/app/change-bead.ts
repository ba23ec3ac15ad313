import type { Bead, BeadStatus } from '../domain/bead.js'
import { type DependencyType, dependencyElement, targetsOf } from '../domain/dependency.js'
import { ConflictError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import type { Json, Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { checkPriority, checkTitle } from './create-bead.js'
import { getBead, getRig } from './find-entity.js'
import { refuseCircle } from './refuse-circle.js'
import type { Town } from './town.js'

export interface BeadChange {
  title?: string
  description?: string
  priority?: number
  type?: string
  notes?: string
  /** ISO; null: no longer. */
  deferUntil?: string | null
  dueAt?: string | null
  /** As typed; null: none. */
  parent?: string | null
  rig?: string
  strict?: boolean
  addLabels?: readonly string[]
  removeLabels?: readonly string[]
  /** Only between open, deferred and failed: the others are moved by sling, done and the merge queue. */
  status?: 'open' | 'deferred' | 'failed'
}

/** @throws NotFoundError; ConflictError code `bead-busy` when an agent holds it and the status would change */
export function updateBead(town: Town, typed: string, change: BeadChange): Bead {
  const title = change.title === undefined ? undefined : checkTitle(change.title)
  if (change.priority !== undefined) checkPriority(change.priority)
  if (change.rig !== undefined) getRig(town, change.rig)
  const changed = changeBead(town, typed, (bead, view) => {
    const ops: Op[] = change.parent === undefined ? [] : parentOps(view, bead, change.parent)
    const fields = given({
      title,
      description: change.description,
      priority: change.priority,
      issue_type: change.type,
      notes: change.notes,
      defer_until: change.deferUntil,
      due_at: change.dueAt,
      rig: change.rig,
      strict: change.strict,
    })
    if (Object.keys(fields).length > 0) ops.push({ o: 'set', id: bead.id, f: fields })
    if (change.addLabels?.length) ops.push({ o: 'add', id: bead.id, f: 'labels', x: [...change.addLabels] })
    if (change.removeLabels?.length)
      ops.push({ o: 'del', id: bead.id, f: 'labels', x: [...change.removeLabels] })
    if (change.status !== undefined && change.status !== bead.status) {
      refuseBusy(bead)
      ops.push(statusMove(bead, change.status, change.status === 'open' ? CLEARED_OUTCOME : {}))
    }
    return ops
  })
  const parent = typeof change.parent === 'string' ? getBead(town.ledger.read(), change.parent) : undefined
  return parent === undefined ? changed : untiedWhenCircular(town, changed, parent, 'parent-child')
}

/** Two that tie beads at the same moment see each other only now; both take their tie back, and both say so. */
export function untiedWhenCircular(town: Town, bead: Bead, target: Bead, type: DependencyType): Bead {
  try {
    refuseCircle(town.ledger.read(), bead, target, type)
  } catch (error) {
    const x = [dependencyElement(type, target.id)]
    changeBead(town, bead.id, () => [{ o: 'del', id: bead.id, f: 'deps', x }])
    throw error
  }
  return bead
}

/** A bead has one parent at most. */
function parentOps(view: View, bead: Bead, typed: string | null): Op[] {
  const parent = typed === null ? undefined : getBead(view, typed)
  const before = targetsOf(bead.deps, 'parent-child').filter((key) => key !== parent?.id)
  const element = (key: string) => dependencyElement('parent-child', key)
  const ops: Op[] = []
  if (before.length > 0) ops.push({ o: 'del', id: bead.id, f: 'deps', x: before.map(element) })
  if (parent === undefined) return ops
  refuseCircle(view, bead, parent, 'parent-child')
  return [...ops, { o: 'add', id: bead.id, f: 'deps', x: [element(parent.id)] }]
}

/** @throws ConflictError code `bead-busy` while an agent holds it */
export function closeBead(town: Town, typed: string, reason: string | undefined): Bead {
  return changeBead(town, typed, (bead) => {
    if (bead.status === 'closed') return []
    refuseBusy(bead)
    return [
      statusMove(bead, 'closed', { close_reason: reason ?? 'closed by hand' }),
      { o: 'ev', type: 'bead.closed', data: { bead: bead.id, reason: reason ?? '' } },
    ]
  })
}

export function reopenBead(town: Town, typed: string): Bead {
  return changeBead(town, typed, (bead) => {
    if (bead.status === 'open') return []
    refuseBusy(bead)
    return [
      statusMove(bead, 'open', CLEARED_OUTCOME),
      { o: 'ev', type: 'bead.reopened', data: { bead: bead.id } },
    ]
  })
}

const CLEARED_OUTCOME = { close_reason: null, assignee: null, merged_as: null }

export function commentOnBead(town: Town, typed: string, text: string): Bead {
  return changeBead(town, typed, (bead) => [{ o: 'say', id: bead.id, x: text }])
}

/** A guarded transition of a bead, with what else changes in it. */
export function statusMove(bead: Bead, status: BeadStatus, fields: Record<string, Json>): Op {
  return { o: 'move', id: bead.id, gen: bead.generation + 1, f: { status, ...fields } }
}

export function changeBead(town: Town, typed: string, plan: (bead: Bead, view: View) => Op[]): Bead {
  const decision = town.ledger.transact(town.actor, (view) => {
    const bead = getBead(view, typed)
    return { id: bead.id, ops: plan(bead, view) }
  })
  return getBead(town.ledger.read(), decision.id)
}

function refuseBusy(bead: Bead): void {
  if (bead.status !== 'hooked' && bead.status !== 'in_review') return
  const where = bead.status === 'hooked' ? `hooked by ${bead.assignee}` : 'in the merge queue'
  throw new ConflictError(`${bead.shownId} is ${where}`, {
    code: 'bead-busy',
    hint: `take it back first: gt unsling ${bead.shownId}`,
    details: { bead: bead.id, assignee: bead.assignee ?? null },
  })
}
