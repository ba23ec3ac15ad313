import { ConflictError } from '../domain/errors.js'
import { type Merge, mergeFrom } from '../domain/merge.js'
import { getMergeOf } from './find-entity.js'
import type { Town } from './town.js'

/**
 * Puts an entry that waits, or whose runner died, back to the front of attention. A returned entry is the agent's turn.
 * @throws ConflictError code `merged` | `returned` | `merging`
 */
export function retryMerge(town: Town, typed: string): Merge {
  const decision = town.ledger.transact(town.actor, (view) => {
    const merge = getMergeOf(view, typed)
    switch (merge.status) {
      case 'queued':
        return { id: merge.id }
      case 'merged':
        throw new ConflictError(
          `${merge.shownId} is merged already, as ${(merge.mergedAs ?? '').slice(0, 10)}`,
          { code: 'merged' },
        )
      case 'returned':
      case 'rejected':
        throw new ConflictError(`${merge.shownId} went back to ${merge.agent}: ${merge.reason ?? ''}`, {
          code: 'returned',
          hint: 'its agent hands it in again with gt done',
        })
      case 'running':
        if (merge.runner !== undefined && town.host.isProcessAlive(merge.runner) !== false) {
          throw new ConflictError(`${merge.shownId} is being worked on (process ${merge.runner})`, {
            code: 'merging',
            hint: `gt mq show ${merge.shownId}`,
          })
        }
    }
    return {
      id: merge.id,
      ops: [
        {
          o: 'move' as const,
          id: merge.id,
          gen: merge.generation + 1,
          f: { status: 'queued', runner: null },
        },
      ],
    }
  })
  return getMergeOf(town.ledger.read(), decision.id)
}

/** Open entries, oldest first; with `all` the finished ones too. */
export function listMerges(town: Town, all: boolean): Merge[] {
  const merges = town.ledger.read().list({ kind: 'merge' }).map(mergeFrom)
  return all
    ? merges
    : merges.filter(
        (merge) => merge.status === 'queued' || merge.status === 'running' || merge.status === 'waiting',
      )
}
