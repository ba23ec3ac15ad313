import type { Agent } from '../domain/agent.js'
import { beadFrom } from '../domain/bead.js'
import { ConflictError, OperationError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import { type Merge, mergeFrom } from '../domain/merge.js'
import type { Op } from '../domain/record.js'
import type { Rig } from '../domain/rig.js'
import type { View } from '../ports/ledger.js'
import type { Repositories } from '../ports/repositories.js'
import { statusMove } from './change-bead.js'
import { findBead, getRig } from './find-entity.js'
import { homeHere } from './here.js'
import { newKey } from './new-key.js'
import type { Town } from './town.js'
import { INSTRUCTION_FILES, OUR_MARK } from './write-context.js'

export interface Finished {
  bead: string
  entry: string
  branch: string
  head: string
  /** Where the commits were read back. */
  published: string
  /** The same commits were in the queue already. */
  already: boolean
}

/**
 * Hands an agent's commits to the merge queue: checks, publishes and reads back, enqueues. Every step may be repeated
 * after a kill; the same commits are never queued twice.
 *
 * @throws OperationError code `nothing-hooked` | `dirty-tree` | `empty-branch` | `wrong-branch` | `our-files` | `half-done`
 */
export async function finishWork(town: Town, agent: Agent): Promise<Finished> {
  const view = town.ledger.read()
  const bead = findBead(view, agent.hook)
  if (!bead || agent.worktree === undefined || agent.branch === undefined || agent.rig === undefined) {
    throw new OperationError(`${agent.id} has nothing on its hook`, {
      code: 'nothing-hooked',
      hint: 'nothing to do; `gt hook` shows what an agent is bound to',
    })
  }
  const rig = getRig(town, agent.rig)
  const repositories = await town.repositories()
  const { head } = await checkTree(repositories, rig, agent)
  town.step('done.checked')

  const queued = findQueued(view, bead.id, head)
  if (queued && bead.status === 'in_review') {
    return {
      bead: bead.shownId,
      entry: queued.shownId,
      branch: agent.branch,
      head,
      published: 'the queue',
      already: true,
    }
  }

  const published = await repositories.publish(rig, agent.branch, head)
  town.step('done.published')

  const branch = agent.branch
  const decision = town.ledger.transact(town.actor, (now) => {
    const entity = now.get(bead.id)
    const current = entity === undefined ? undefined : beadFrom(entity)
    const again = findQueued(now, bead.id, head)
    if (current && again && current.status === 'in_review') return { kind: 'queued' as const, id: again.id }
    const isMine = current?.assignee === agent.id
    if (!current || !isMine || (current.status !== 'hooked' && current.status !== 'in_review')) {
      return { kind: 'lost' as const, status: current?.status, by: current?.assignee }
    }
    const earlier = openEntries(now, bead.id)
    const running = earlier.find((merge) => merge.status === 'running')
    if (running) return { kind: 'running' as const, id: running.shownId }
    const { id, a } = newKey(town, now, 'mq')
    const ops: Op[] = [
      {
        o: 'new',
        id,
        k: 'merge',
        a,
        f: {
          bead: bead.id,
          assignee: agent.id,
          rig: rig.name,
          branch,
          head,
          target: rig.branch,
          status: 'queued',
          attempts: 0,
          ...given({ home: homeHere(town) }),
        },
      },
      // Amended since: only the newest head is to land.
      ...earlier.map((merge) => ({
        o: 'move' as const,
        id: merge.id,
        gen: merge.generation + 1,
        f: { status: 'rejected', reason: `superseded by ${head.slice(0, 10)}`, runner: null },
      })),
      statusMove(current, 'in_review', {}),
      { o: 'ev', type: 'work.done', data: { bead: bead.id, agent: agent.id, head, entry: id } },
    ]
    return { kind: 'enqueued' as const, id, ops }
  })
  if (decision.kind === 'running') {
    throw new ConflictError(
      `earlier commits of ${bead.shownId} are being merged right now (${decision.id})`,
      {
        code: 'merging',
        hint: 'wait a moment; what is new belongs to a bead of its own once they have landed',
        details: { bead: bead.id, entry: decision.id },
      },
    )
  }
  if (decision.kind === 'lost') {
    throw new ConflictError(
      `${bead.shownId} is no longer yours: it is ${decision.status ?? 'gone'}${decision.by ? `, held by ${decision.by}` : ''}`,
      {
        code: 'claim-lost',
        hint: 'stop here; your commits stay on your branch and in salvage',
        details: { bead: bead.id, assignee: decision.by ?? null },
      },
    )
  }
  town.step('done.enqueued')
  const entry = town.ledger.read().get(decision.id)
  return {
    bead: bead.shownId,
    entry: entry?.shownId ?? decision.id,
    branch,
    head,
    published: published.where,
    already: decision.kind === 'queued',
  }
}

function findQueued(view: View, beadKey: string, head: string): Merge | undefined {
  return openEntries(view, beadKey).find((merge) => merge.head === head)
}

function openEntries(view: View, beadKey: string): Merge[] {
  return view
    .list({ kind: 'merge', status: ['queued', 'running', 'waiting'] })
    .map(mergeFrom)
    .filter((merge) => merge.bead === beadKey)
}

async function checkTree(repositories: Repositories, rig: Rig, agent: Agent): Promise<{ head: string }> {
  const path = agent.worktree ?? ''
  const base = agent.base
  const state = await repositories.worktreeState(rig, path, base)
  const refuse = (
    code: string,
    message: string,
    hint: string,
    details: Record<string, unknown> = {},
  ): never => {
    throw new OperationError(message, { code, hint, details: { worktree: path, ...details } })
  }
  if (state.inProgress !== undefined) {
    refuse(
      'half-done',
      `a ${state.inProgress} stands half done in ${path}`,
      `finish it, or git ${state.inProgress} --abort`,
    )
  }
  if (state.branch !== agent.branch) {
    refuse(
      'wrong-branch',
      `the worktree is on ${state.branch ?? 'no branch'}, not on ${agent.branch}`,
      `bring your commits there: git checkout -B ${agent.branch}`,
    )
  }
  if (state.dirty.length > 0) {
    const shown = state.dirty.slice(0, 10).join('\n  ')
    const more = state.dirty.length > 10 ? `\n  and ${state.dirty.length - 10} more` : ''
    refuse(
      'dirty-tree',
      `not everything is committed:\n  ${shown}${more}`,
      'commit what belongs to the bead (git add -A && git commit), remove the rest, then gt done again',
      { dirty: state.dirty.slice(0, 100) },
    )
  }
  if (state.ahead === 0) {
    refuse(
      'empty-branch',
      `${agent.branch} has no commits of its own`,
      'commit your work first; if there is nothing to do, say so: gt mail send human "…"',
    )
  }
  await refuseOurFiles(repositories, rig, agent, state.head)
  return { head: state.head }
}

/** No commit may hold a file of ours. */
async function refuseOurFiles(
  repositories: Repositories,
  rig: Rig,
  agent: Agent,
  head: string,
): Promise<void> {
  const ours = await repositories.commitsHolding(rig, {
    base: agent.base ?? rig.branch,
    head,
    files: INSTRUCTION_FILES,
    startsWith: OUR_MARK,
  })
  const [first] = ours
  if (!first) return
  throw new OperationError(
    `a commit of yours holds a file that gt made: ${first.file} in ${first.commit.slice(0, 10)}`,
    {
      code: 'our-files',
      hint: `it must leave the history, too: git reset --soft ${(agent.base ?? '').slice(0, 12)} && git restore --staged ${first.file}, then commit again`,
      details: { files: ours },
    },
  )
}
