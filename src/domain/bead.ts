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
  const assignee = text(entity, 'assignee')
  const rig = text(entity, 'rig')
  const closeReason = text(entity, 'close_reason')
  const mergedAs = text(entity, 'merged_as')
  return {
    id: entity.id as BeadId,
    shownId: entity.shownId,
    generation: entity.generation,
    title: text(entity, 'title') ?? '(no title)',
    description: text(entity, 'description') ?? '',
    status: oneOf(entity, 'status', BEAD_STATUSES) ?? 'open',
    priority: number(entity, 'priority') ?? 2,
    type: text(entity, 'issue_type') ?? 'task',
    ...(assignee === undefined ? {} : { assignee: assignee as AgentId }),
    ...(rig === undefined ? {} : { rig }),
    labels: members(entity, 'labels'),
    blockedBy: members(entity, 'deps')
      .filter((dep) => dep.startsWith(BLOCKS))
      .map((dep) => dep.slice(BLOCKS.length)),
    ...(closeReason === undefined ? {} : { closeReason }),
    ...(mergedAs === undefined ? {} : { mergedAs }),
    commentCount: entity.commentCount,
    createdAt: entity.createdAt,
    createdBy: entity.createdBy,
    updatedAt: entity.updatedAt,
    strict: flag(entity, 'strict'),
  }
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
  const path: string[] = []
  const seen = new Set<string>()
  const reaches = (key: string): boolean => {
    if (key === bead) return true
    if (seen.has(key)) return false
    seen.add(key)
    for (const next of blockersOf(key)) {
      if (reaches(next)) {
        path.unshift(next)
        return true
      }
    }
    return false
  }
  if (!reaches(blocker)) return undefined
  return blocker === bead ? [bead, bead] : [bead, blocker, ...path]
}
