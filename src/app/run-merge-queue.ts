import { agentFrom } from '../domain/agent.js'
import { GtError } from '../domain/errors.js'
import { type Merge, mergeFrom, nextMerge } from '../domain/merge.js'
import type { View } from '../ports/ledger.js'
import { clearAway } from './clear-away.js'
import { isHere } from './here.js'
import { recordMerged, recordReturned, recordWaiting } from './record-merge.js'
import type { Town } from './town.js'
import { endGates, tryMerge } from './try-merge.js'
import { wakeAgent } from './wake-agent.js'

export interface QueueRun {
  merged: string[]
  returned: string[]
  waiting: string[]
  /** Another process works on the queue. */
  busyBy?: string
}

/** Long enough for a runner that is just leaving to have released the lock. */
const LOCK_WAIT_MS = 5_000

/**
 * Works the queue off, one entry at a time, until nothing in it can go on. One runner per town; a second one leaves it to
 * the first, which looks at the queue again before it ends.
 */
export async function runMergeQueue(town: Town, log: (line: string) => void): Promise<QueueRun> {
  const run: QueueRun = { merged: [], returned: [], waiting: [] }
  const locked = await town.host.withLock('merge-queue', LOCK_WAIT_MS, async () => {
    await endGates(town, log)
    await sweep(town, log)
    const tried = new Set<string>()
    for (;;) {
      const merge = takeNext(town, tried)
      if (!merge) break
      tried.add(`${merge.id}:${merge.generation}`)
      await handle(town, merge, run, log)
      tried.add(`${merge.id}:${currentGeneration(town.ledger.read(), merge.id)}`)
    }
    await town.ledger.commitHistory('merge queue').catch((error: unknown) => log(`history: ${String(error)}`))
  })
  return locked.kind === 'busy' ? { ...run, busyBy: locked.by } : run
}

/** The oldest entry that can be worked on is ours from now on. */
function takeNext(town: Town, tried: ReadonlySet<string>): Merge | undefined {
  const decision = town.ledger.transact('merge-queue', (view) => {
    const merges = view
      .list({ kind: 'merge', status: ['queued', 'waiting', 'running'] })
      .map(mergeFrom)
      .filter((merge) => isHere(town, merge.home))
    const merge = nextMerge(merges, (runner) => town.host.isProcessAlive(runner) !== false, tried)
    if (!merge) return { merge: undefined }
    return {
      merge: merge.id,
      ops: [
        {
          o: 'move' as const,
          id: merge.id,
          gen: merge.generation + 1,
          f: { status: 'running', runner: town.host.processToken, attempts: merge.attempts + 1 },
        },
        { o: 'ev' as const, type: 'merge.started', data: { entry: merge.id, bead: merge.bead } },
      ],
    }
  })
  const entity = decision.merge === undefined ? undefined : town.ledger.read().get(decision.merge)
  return entity === undefined ? undefined : mergeFrom(entity)
}

async function handle(town: Town, merge: Merge, run: QueueRun, log: (line: string) => void): Promise<void> {
  log(`${merge.shownId}: ${merge.bead} from ${merge.agent}, ${merge.branch} → ${merge.target}`)
  try {
    const result = await tryMerge(town, merge, log)
    switch (result.kind) {
      case 'merged':
        recordMerged(town, merge, result)
        town.step('merge.recorded')
        log(`${merge.shownId}: merged as ${result.sha.slice(0, 10)} (${result.proof})`)
        run.merged.push(merge.bead)
        await clearMerged(town, merge, log)
        return
      case 'returned':
        recordReturned(town, merge, result)
        town.step('merge.returned')
        log(`${merge.shownId}: back to ${merge.agent}: ${result.reason}`)
        run.returned.push(merge.bead)
        await wakeAgent(town, merge.agent, `the merge queue sent ${merge.bead} back: ${result.reason}`, log, {
          restart: true,
        })
        return
      case 'waiting':
        recordWaiting(town, merge, result.reason)
        log(`${merge.shownId}: waits: ${result.reason}`)
        run.waiting.push(merge.bead)
        return
    }
  } catch (error) {
    // Not the agent's fault and not a verdict: the entry stays in the queue and says why.
    const reason = error instanceof GtError ? error.message : `unexpected: ${String(error)}`
    recordWaiting(town, merge, reason)
    log(`${merge.shownId}: waits: ${reason}`)
    run.waiting.push(merge.bead)
  }
}

/** After a merge the agent of a finished bead has nothing left to do here. */
async function clearMerged(town: Town, merge: Merge, log: (line: string) => void): Promise<void> {
  const entity = town.ledger.read().get(merge.agent)
  if (entity?.kind !== 'agent') return
  const agent = agentFrom(entity)
  if (agent.hook !== undefined || agent.worktree === undefined || !isHere(town, agent.home)) return
  if (town.config.roles[agent.role]?.ends === 'never') return
  try {
    await clearAway(town, agent, `merged ${merge.bead}`, 'done')
    town.step('merge.cleared')
    town.ledger.transact('merge-queue', (view) => {
      const current = view.get(agent.id)
      if (!current || agentFrom(current).hook !== undefined) return {}
      return {
        ops: [
          {
            o: 'move',
            id: agent.id,
            gen: current.generation + 1,
            f: { worktree: null, branch: null, base: null },
          },
        ],
      }
    })
  } catch (error) {
    log(`${agent.id}: not cleared away yet: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Finishes what a killed runner left: agents whose bead is merged but whose worktree is still there. */
async function sweep(town: Town, log: (line: string) => void): Promise<void> {
  const view = town.ledger.read()
  const merged = view.list({ kind: 'merge', status: 'merged' }).map(mergeFrom)
  for (const agent of view.list({ kind: 'agent' }).map(agentFrom)) {
    if (agent.hook !== undefined || agent.worktree === undefined || agent.rig === undefined) continue
    const merge = merged.filter((m) => m.agent === agent.id && m.branch === agent.branch).at(-1)
    if (!merge || !Object.hasOwn(town.config.rigs, agent.rig)) continue
    await clearMerged(town, merge, log)
  }
}

function currentGeneration(view: View, id: string): number {
  return view.get(id)?.generation ?? 0
}

/**
 * Starts a runner in the background when the queue holds something that can go on and nobody works on it.
 * @returns whether one was started
 */
export async function kickMergeQueue(town: Town): Promise<boolean> {
  const merges = town.ledger
    .read()
    .list({ kind: 'merge', status: ['queued', 'running'] })
    .map(mergeFrom)
    .filter((merge) => isHere(town, merge.home))
  const isAlive = (runner: string) => town.host.isProcessAlive(runner) !== false
  if (merges.some((m) => m.status === 'running' && m.runner !== undefined && isAlive(m.runner))) return false
  if (!nextMerge(merges, isAlive, new Set())) return false
  await town.host.startInBackground(['mq', 'run'], 'merge-queue')
  return true
}
