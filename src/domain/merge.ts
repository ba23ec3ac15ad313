import { number, oneOf, text } from './fields.js'
import type { AgentId, BeadId } from './ids.js'
import type { Entity } from './record.js'

/**
 * An entry of the merge queue.
 *
 *   queued → running → merged
 *     ↑         ├→ returned   red gate or conflict: back to the agent with the evidence
 *     │         ├→ waiting    only a person can clear the way (a dirty checkout); tried again with every run
 *     └─────────┘             the runner died: the next one takes it up again
 */
export const MERGE_STATUSES = ['queued', 'running', 'waiting', 'merged', 'returned', 'rejected'] as const
export type MergeStatus = (typeof MERGE_STATUSES)[number]

export interface Merge {
  id: string
  shownId: string
  generation: number
  bead: BeadId
  agent: AgentId
  rig: string
  branch: string
  /** What the agent handed in. */
  head: string
  target: string
  status: MergeStatus
  /** Clone id of the machine that it is merged on: its commits are there. */
  home?: string
  /** `pid:startTime` of the process that works on it. */
  runner?: string
  /** The rebased commit that is being landed; known before the target moves. */
  candidate?: string
  reason?: string
  /** End of the output of the gate that failed, or the conflict. */
  evidence?: string
  mergedAs?: string
  attempts: number
  createdAt: string
  updatedAt: string
}

export function mergeFrom(entity: Entity): Merge {
  const optional = (field: string, as = field) => {
    const value = text(entity, field)
    return value === undefined ? {} : { [as]: value }
  }
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    bead: (text(entity, 'bead') ?? '') as BeadId,
    agent: (text(entity, 'assignee') ?? '') as AgentId,
    rig: text(entity, 'rig') ?? '',
    branch: text(entity, 'branch') ?? '',
    head: text(entity, 'head') ?? '',
    target: text(entity, 'target') ?? '',
    status: oneOf(entity, 'status', MERGE_STATUSES) ?? 'queued',
    ...optional('home'),
    ...optional('runner'),
    ...optional('candidate'),
    ...optional('reason'),
    ...optional('evidence'),
    ...optional('merged_as', 'mergedAs'),
    attempts: number(entity, 'attempts') ?? 0,
    createdAt: entity.createdAt,
    updatedAt: entity.updatedAt,
  }
}

/** Which entry a runner takes next: the oldest that is queued or whose runner is gone; waiting ones get their turn again. */
export function nextMerge(
  merges: readonly Merge[],
  isRunnerAlive: (runner: string) => boolean,
  tried: ReadonlySet<string>,
): Merge | undefined {
  const takable = (merge: Merge) =>
    !tried.has(`${merge.id}:${merge.generation}`) &&
    (merge.status === 'queued' ||
      merge.status === 'waiting' ||
      (merge.status === 'running' && (merge.runner === undefined || !isRunnerAlive(merge.runner))))
  return merges.filter(takable).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))[0]
}
