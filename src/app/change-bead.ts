import { type Bead, type BeadStatus, beadFrom, blocksElement, findCycle } from '../domain/bead.js'
import { ConflictError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import type { Json, Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { checkPriority, checkTitle } from './create-bead.js'
import { getBead, getRig } from './find-entity.js'
import type { Town } from './town.js'

export interface BeadChange {
  title?: string
  description?: string
  priority?: number
  type?: string
  rig?: string
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
  return changeBead(town, typed, (bead) => {
    const ops: Op[] = []
    const fields = given({
      title,
      description: change.description,
      priority: change.priority,
      issue_type: change.type,
      rig: change.rig,
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

/** `bead` waits for `blocker` from now on (or no longer). @throws ConflictError code `dependency-cycle` */
export function setDependency(town: Town, typed: string, typedBlocker: string, present: boolean): Bead {
  return changeBead(town, typed, (bead, view) => {
    const blocker = getBead(view, typedBlocker)
    if (!present) return [{ o: 'del', id: bead.id, f: 'deps', x: [blocksElement(blocker.id)] }]
    const circle = findCycle(bead.id, blocker.id, (key) => {
      const entity = view.get(key)
      return entity?.kind === 'bead' ? beadFrom(entity).blockedBy : []
    })
    if (circle) {
      const shown = circle.map((key) => view.get(key)?.shownId ?? key)
      throw new ConflictError(`${bead.shownId} cannot wait for ${blocker.shownId}: that closes a circle`, {
        code: 'dependency-cycle',
        hint: `the circle: ${shown.join(' waits for ')}`,
        details: { circle: shown },
      })
    }
    return [{ o: 'add', id: bead.id, f: 'deps', x: [blocksElement(blocker.id)] }]
  })
}

export function commentOnBead(town: Town, typed: string, text: string): Bead {
  return changeBead(town, typed, (bead) => [{ o: 'say', id: bead.id, x: text }])
}

/** A guarded transition of a bead, with what else changes in it. */
export function statusMove(bead: Bead, status: BeadStatus, fields: Record<string, Json>): Op {
  return { o: 'move', id: bead.id, gen: bead.generation + 1, f: { status, ...fields } }
}

function changeBead(town: Town, typed: string, plan: (bead: Bead, view: View) => Op[]): Bead {
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
