import type { Agent } from '../domain/agent.js'
import type { Bead, BeadStatus } from '../domain/bead.js'
import type { Op } from '../domain/record.js'
import { statusMove } from './change-bead.js'

/** Unbinds an agent from its bead in one record. The worktree stays on the agent's record until it is really gone. */
export function releaseOps(agent: Agent, bead: Bead | undefined, status: BeadStatus): Op[] {
  const ops: Op[] = [
    {
      o: 'move',
      id: agent.id,
      gen: agent.generation + 1,
      f: { hook: null, slinger: null, worktree: null, branch: null, base: null },
    },
  ]
  if (bead && bead.assignee === agent.id && (bead.status === 'hooked' || bead.status === 'in_review')) {
    ops.push(statusMove(bead, status, { assignee: null, home: null }))
  }
  return ops
}
