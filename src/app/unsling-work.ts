import { agentFrom } from '../domain/agent.js'
import type { Bead } from '../domain/bead.js'
import { ConflictError, OperationError } from '../domain/errors.js'
import { type Merge, mergeFrom } from '../domain/merge.js'
import type { View } from '../ports/ledger.js'
import { clearAway } from './clear-away.js'
import { findBead, getBead } from './find-entity.js'
import { checkHere, isHere } from './here.js'
import { releaseOps } from './release-agent.js'
import type { Town } from './town.js'
import { settleLanding } from './try-merge.js'

export interface Unslung {
  bead: string
  agent: string
  /** Hidden ref that holds the tree as it was; undefined when there was nothing to save. */
  salvage?: string
}

/**
 * Takes a bead back from its agent: session ended, tree salvaged and removed, bead open again. Each step may be repeated
 * after a kill; the bead stays hooked until the last one.
 * @throws ConflictError code `not-hooked` | `merging`
 */
export async function unslingWork(town: Town, typed: string): Promise<Unslung> {
  const view = town.ledger.read()
  const bead = getBead(view, typed)
  const entity = bead.assignee === undefined ? undefined : view.get(bead.assignee)
  if ((bead.status !== 'hooked' && bead.status !== 'in_review') || entity?.kind !== 'agent') {
    throw new ConflictError(`${bead.shownId} is ${bead.status}: no agent holds it`, {
      code: 'not-hooked',
      hint: `gt bead show ${bead.shownId}`,
    })
  }
  const agent = agentFrom(entity)
  checkHere(town, agent)
  for (const merge of openMerges(town, view, bead)) {
    if ((await settleLanding(town, merge))?.kind !== 'merged') continue
    throw new ConflictError(`${bead.shownId} is on ${merge.target} already`, {
      code: 'merged',
      hint: 'its runner ended before it could say so: gt mq run',
    })
  }
  withdrawMerges(town, bead)
  town.step('unsling.withdrawn')
  // The tree of a retired machine is not here: a path of the same name would be somebody else's.
  const cleared: { salvage?: string } = isHere(town, agent.home)
    ? await clearAway(town, agent, `unsling ${bead.shownId}`, 'stopped')
    : {}
  town.step('unsling.cleared')
  const done = town.ledger.transact(town.actor, (now) => {
    const current = now.get(agent.id)
    const held = current === undefined ? undefined : agentFrom(current)
    if (held?.hook !== bead.id) return { lost: true }
    return {
      lost: false,
      ops: [
        ...releaseOps(held, findBead(now, bead.id), 'open'),
        {
          o: 'ev' as const,
          type: 'bead.unslung',
          data: { bead: bead.id, agent: agent.id, salvage: cleared.salvage ?? '' },
        },
      ],
    }
  })
  if (done.lost) {
    throw new OperationError(`${bead.shownId} was released by somebody else meanwhile`, {
      code: 'claim-lost',
      hint: `gt bead show ${bead.shownId}`,
    })
  }
  return {
    bead: bead.shownId,
    agent: agent.id,
    ...(cleared.salvage === undefined ? {} : { salvage: cleared.salvage }),
  }
}

/** @throws ConflictError code `merging`: an entry that runs now is not torn out */
function openMerges(town: Town, view: View, bead: Bead): Merge[] {
  const merges = view
    .list({ kind: 'merge', status: ['queued', 'waiting', 'running'] })
    .map(mergeFrom)
    .filter((merge) => merge.bead === bead.id)
  const running = merges.find(
    (m) => m.status === 'running' && m.runner !== undefined && town.host.isProcessAlive(m.runner) !== false,
  )
  if (!running) return merges
  throw new ConflictError(`${bead.shownId} is being merged right now (${running.shownId})`, {
    code: 'merging',
    hint: `see how it goes: gt mq show ${running.shownId}`,
  })
}

/** Entries of the bead leave the queue first: nothing may land behind our back. */
function withdrawMerges(town: Town, bead: Bead): void {
  town.ledger.transact(town.actor, (view) => ({
    ops: openMerges(town, view, bead).map((m) => ({
      o: 'move' as const,
      id: m.id,
      gen: m.generation + 1,
      f: { status: 'rejected', reason: 'unslung', runner: null },
    })),
  }))
}
