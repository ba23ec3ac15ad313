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
  rig?: string
  labels: readonly string[]
  /** Keys of the beads that must be closed first. */
  blockedBy: readonly string[]
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
    blockedBy: blockersIn(members(entity, 'deps')),
    commentCount: entity.commentCount,
    createdAt: entity.createdAt,
    createdBy: entity.createdBy,
    updatedAt: entity.updatedAt,
    strict: flag(entity, 'strict'),
  }
  // Assigned one by one: spreading optional parts doubles the cost of a long list.
  const assignee = text(entity, 'assignee')
  if (assignee !== undefined) bead.assignee = assignee as AgentId
  const rig = text(entity, 'rig')
  if (rig !== undefined) bead.rig = rig
  const closeReason = text(entity, 'close_reason')
  if (closeReason !== undefined) bead.closeReason = closeReason
  const mergedAs = text(entity, 'merged_as')
  if (mergedAs !== undefined) bead.mergedAs = mergedAs
  return bead
}

const NO_BLOCKERS: readonly string[] = []

function blockersIn(deps: readonly string[]): readonly string[] {
  if (deps.length === 0) return NO_BLOCKERS
  return deps.filter((dep) => dep.startsWith(BLOCKS)).map((dep) => dep.slice(BLOCKS.length))
}

/** Element of the `deps` set that says "`blocker` must be closed first". */
export function blocksElement(blocker: string): string {
  return BLOCKS + blocker
}

/** Open work first by priority, then by age. */
export function byUrgency(a: Bead, b: Bead): number {
  return a.priority - b.priority || (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0)
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
