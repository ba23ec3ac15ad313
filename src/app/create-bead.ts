import { type Bead, beadFrom } from '../domain/bead.js'
import { type DependencyType, dependencyElement } from '../domain/dependency.js'
import { ConflictError, UsageError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import { type BeadId, beadId } from '../domain/ids.js'
import type { Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { getBead } from './find-entity.js'
import { newKey } from './new-key.js'
import { refuseCircle } from './refuse-circle.js'
import type { Town } from './town.js'

export interface NewBead {
  /** Any id the user likes; else one is made with the rig's prefix. */
  id?: string
  title: string
  description?: string
  priority?: number
  type?: string
  labels?: readonly string[]
  rig?: string
  /** Claimed only with a lease on the town's remote. */
  strict?: boolean
  /** Beads that must be closed first, as typed. */
  blockedBy?: readonly string[]
  /** As typed. */
  parent?: string
  discoveredFrom?: readonly string[]
  notes?: string
  /** ISO. */
  deferUntil?: string
  dueAt?: string
}

/**
 * @returns the bead as recorded
 * @throws ConflictError code `bead-exists`; UsageError for a bad id, title or priority; NotFoundError for an unknown blocker
 */
export function createBead(town: Town, request: NewBead): Bead {
  const title = checkTitle(request.title)
  if (request.priority !== undefined) checkPriority(request.priority)
  const givenId = request.id === undefined ? undefined : beadId(request.id)
  const decision = town.ledger.transact(town.actor, (view) => {
    if (givenId !== undefined && view.get(givenId)) return { kind: 'exists' as const, id: givenId }
    const { id, a } =
      givenId === undefined ? newKey(town, view, prefixFor(town, request.rig)) : { id: givenId, a: 0 }
    return { kind: 'made' as const, id: id as BeadId, ops: newBeadOps(view, { ...request, title }, id, a) }
  })
  if (decision.kind === 'exists') {
    throw new ConflictError(`there is a bead ${decision.id} already`, {
      code: 'bead-exists',
      hint: `gt bead show ${decision.id}`,
      details: { bead: decision.id },
    })
  }
  const entity = town.ledger.read().get(decision.id)
  if (!entity) throw new Error(`bead ${decision.id} was written but cannot be read`)
  return beadFrom(entity)
}

/** The operations that make a bead, for records that make one along with something else. */
export function newBeadOps(view: View, request: NewBead, id: string, shownLength: number): Op[] {
  const ops: Op[] = [
    {
      o: 'new',
      id,
      k: 'bead',
      ...(shownLength > 0 ? { a: shownLength } : {}),
      f: given({
        title: request.title,
        description: request.description,
        status: 'open',
        priority: request.priority ?? 2,
        issue_type: request.type ?? 'task',
        notes: request.notes,
        defer_until: request.deferUntil,
        due_at: request.dueAt,
        rig: request.rig,
        strict: request.strict === true ? true : undefined,
      }),
    },
  ]
  if (request.labels && request.labels.length > 0)
    ops.push({ o: 'add', id, f: 'labels', x: [...request.labels] })
  const deps = [
    ...(request.blockedBy ?? []).map((typed) => tie(view, id, 'blocks', typed)),
    ...(request.parent === undefined ? [] : [tie(view, id, 'parent-child', request.parent)]),
    ...(request.discoveredFrom ?? []).map((typed) => tie(view, id, 'discovered-from', typed)),
  ]
  if (deps.length > 0) ops.push({ o: 'add', id, f: 'deps', x: deps })
  return ops
}

/** Something imported may wait for an id that only gets its bead now: even a new one can close a circle. */
function tie(view: View, id: string, type: DependencyType, typed: string): string {
  const target = getBead(view, typed)
  refuseCircle(view, { id, shownId: id }, target, type)
  return dependencyElement(type, target.id)
}

export function prefixFor(town: Town, rig: string | undefined): string {
  if (rig !== undefined) return town.config.rigs[rig]?.prefix ?? 'bead'
  const only = Object.values(town.config.rigs)
  return only.length === 1 && only[0] ? only[0].prefix : 'bead'
}

export function checkTitle(title: string): string {
  const oneLine = title.replace(/\s+/g, ' ').trim()
  if (oneLine === '')
    throw new UsageError('a bead needs a title', { code: 'empty-title', hint: 'gt bead create "what to do"' })
  if (oneLine.length > 500) {
    throw new UsageError(`the title has ${oneLine.length} characters, at most 500 fit`, {
      code: 'long-title',
      hint: 'put the rest into the description: -m "…" or -m - for standard input',
    })
  }
  return oneLine
}

export function checkPriority(priority: number): void {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 4) return
  throw new UsageError(`priority ${priority} is not one of 0 (first) to 4 (last)`, { code: 'bad-priority' })
}
