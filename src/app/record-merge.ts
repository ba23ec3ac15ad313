import { agentFrom } from '../domain/agent.js'
import { beadFrom } from '../domain/bead.js'
import { ConflictError } from '../domain/errors.js'
import type { Merge } from '../domain/merge.js'
import { mergeFrom } from '../domain/merge.js'
import { clip } from '../domain/prime.js'
import type { Fields, Op } from '../domain/record.js'
import type { View } from '../ports/ledger.js'
import { statusMove } from './change-bead.js'
import { mailOps } from './send-mail.js'
import type { Town } from './town.js'

/** The queue speaks in its own name. */
export const MERGE_QUEUE = 'merge-queue'

/** Merge proven, bead closed, agent free: one record. */
export function recordMerged(town: Town, merge: Merge, result: { sha: string; proof: string }): void {
  move(
    town,
    merge,
    { status: 'merged', merged_as: result.sha, runner: null, reason: result.proof },
    (view) => {
      const ops: Op[] = [
        {
          o: 'ev',
          type: 'bead.merged',
          data: { bead: merge.bead, agent: merge.agent, sha: result.sha, entry: merge.id },
        },
      ]
      const bead = view.get(merge.bead)
      if (bead && beadFrom(bead).status === 'in_review') {
        ops.push(
          statusMove(beadFrom(bead), 'closed', {
            merged_as: result.sha,
            close_reason: `merged as ${result.sha.slice(0, 10)}`,
          }),
        )
      }
      const agent = view.get(merge.agent)
      if (agent?.kind === 'agent' && agentFrom(agent).hook === merge.bead) {
        ops.push({ o: 'move', id: agent.id, gen: agent.generation + 1, f: { hook: null } })
      }
      return ops
    },
  )
}

/** Red gate or conflict: the bead is the agent's again, with the evidence in its mail. */
export function recordReturned(town: Town, merge: Merge, result: { reason: string; evidence: string }): void {
  const evidence = clip(result.evidence, 4_096)
  move(town, merge, { status: 'returned', reason: result.reason, evidence, runner: null }, (view) => {
    const ops: Op[] = [
      {
        o: 'ev',
        type: 'merge.returned',
        data: { bead: merge.bead, agent: merge.agent, reason: result.reason },
      },
    ]
    const bead = view.get(merge.bead)
    if (bead && beadFrom(bead).status === 'in_review') ops.push(statusMove(beadFrom(bead), 'hooked', {}))
    ops.push(
      ...mailOps(town, view, {
        from: MERGE_QUEUE,
        to: merge.agent,
        subject: `${merge.bead} did not land: ${result.reason}`,
        body: `${evidence}\n\nFix it on your branch, commit, and run \`gt done\` again.`,
      }).ops,
    )
    return ops
  })
}

export function recordWaiting(town: Town, merge: Merge, reason: string): void {
  move(town, merge, { status: 'waiting', reason, runner: null }, () => [
    { o: 'ev', type: 'merge.waiting', data: { bead: merge.bead, entry: merge.id, reason } },
  ])
}

/** Only the runner that holds the entry may say what became of it. */
function move(town: Town, merge: Merge, fields: Fields, also: (view: View) => Op[]): void {
  const decision = town.ledger.transact(MERGE_QUEUE, (view) => {
    const entity = view.get(merge.id)
    const current = entity === undefined ? undefined : mergeFrom(entity)
    if (current?.generation !== merge.generation) return { lost: true }
    return {
      lost: false,
      ops: [{ o: 'move' as const, id: merge.id, gen: merge.generation + 1, f: fields }, ...also(view)],
    }
  })
  if (decision.lost)
    throw new ConflictError(`${merge.shownId} was taken over by another runner`, { code: 'claim-lost' })
}
