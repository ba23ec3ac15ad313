import { flag, members, number, oneOf, text } from './fields.js'
import type { AgentId, BeadId } from './ids.js'
import type { Entity } from './record.js'

/**
 * A unit of work.
 *
 *   open → hooked → in_review (in the merge queue) → closed
 *            ↑___________|  a red gate or a conflict        deferred, failed: set aside by a person
 *
 * `blocked` is never stored: it is an open bead with an open dependency.
 */
export const BEAD_STATUSES = ['open', 'hooked', 'in_review', 'closed', 'deferred', 'failed'] as const
export type BeadStatus = (typeof BEAD_STATUSES)[number]

export interface Bead {
  id: BeadId
  shownId: string
  generation: number
  title: string
  description: string
  status: BeadStatus
  /** 0 (first) to 4 (last). */
  priority: number
  type: string
  assignee?: AgentId
  /** Clone id of the machine that claimed it: two machines may have agents of one name. */
  home?: string
  rig?: string
  labels: readonly string[]
  /** All that ties it to others, as `type:key`; see domain/dependency.ts. */
  deps: readonly string[]
  /** Keys of the beads that must be closed first. */
  blockedBy: readonly string[]
  /** Not ready before this time. */
  deferUntil?: string
  dueAt?: string
  closeReason?: string
  /** Commit on the target that closed it. */
  mergedAs?: string
  commentCount: number
  createdAt: string
  createdBy: string
  updatedAt: string
  strict: boolean
}

const BLOCKS = 'blocks:'

export function beadFrom(entity: Entity): Bead {
  const deps = members(entity, 'deps')
  const bead: Bead = {
    id: entity.id as BeadId,
    shownId: entity.shownId,
    generation: entity.generation,
    title: text(entity, 'title') ?? '(no title)',
    description: text(entity, 'description') ?? '',
    status: oneOf(entity, 'status', BEAD_STATUSES) ?? 'open',
    priority: number(entity, 'priority') ?? 2,
    type: text(entity, 'issue_type') ?? 'task',
    labels: members(entity, 'labels'),
    deps,
    blockedBy: blockersIn(deps),
    commentCount: entity.commentCount,
    createdAt: entity.createdAt,
    createdBy: entity.createdBy,
    updatedAt: entity.updatedAt,
    strict: flag(entity, 'strict'),
  }
  // Assigned one by one: spreading optional parts doubles the cost of a long list.
  const assignee = text(entity, 'assignee')
  if (assignee !== undefined) bead.assignee = assignee as AgentId
  const home = text(entity, 'home')
  if (home !== undefined) bead.home = home
  const rig = text(entity, 'rig')
  if (rig !== undefined) bead.rig = rig
  const closeReason = text(entity, 'close_reason')
  if (closeReason !== undefined) bead.closeReason = closeReason
  const mergedAs = text(entity, 'merged_as')
  if (mergedAs !== undefined) bead.mergedAs = mergedAs
  const deferUntil = text(entity, 'defer_until')
  if (deferUntil !== undefined) bead.deferUntil = deferUntil
  const dueAt = text(entity, 'due_at')
  if (dueAt !== undefined) bead.dueAt = dueAt
  return bead
}

/** Set aside until a time that has not come yet; what is no time defers nothing. */
export function isDeferred(bead: Bead, nowMs: number): boolean {
  return bead.deferUntil !== undefined && Date.parse(bead.deferUntil) > nowMs
}

const NO_BLOCKERS: readonly string[] = []

function blockersIn(deps: readonly string[]): readonly string[] {
  if (deps.length === 0) return NO_BLOCKERS
  return deps.filter((dep) => dep.startsWith(BLOCKS)).map((dep) => dep.slice(BLOCKS.length))
}

/** Open work first by priority, then by age. */
export function byUrgency(a: Bead, b: Bead): number {
  return a.priority - b.priority || (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0)
}
