import { agentFrom } from '../domain/agent.js'
import { type Bead, beadFrom } from '../domain/bead.js'
import { GtError } from '../domain/errors.js'
import { HUMAN } from '../domain/ids.js'
import { findLostClaims, type LostClaim } from '../domain/lost-claims.js'
import { mergeFrom } from '../domain/merge.js'
import type { Op } from '../domain/record.js'
import { sessionFrom } from '../domain/session.js'
import type { View } from '../ports/ledger.js'
import { statusMove } from './change-bead.js'
import { clearAway } from './clear-away.js'
import { findBead } from './find-entity.js'
import { isHere } from './here.js'
import { mailOps } from './send-mail.js'
import type { Town } from './town.js'

const GT = 'gt'

export interface SettledClaims {
  /** For people, one line each. */
  settled: string[]
  /** What has to wait for the next time, and why. */
  waiting: string[]
}

/**
 * After an exchange: where another machine's claim came first, or a bead was closed there, the session here is ended, its tree
 * saved, its agent and the person told by mail. The bead is the other's: nothing of its state is touched. Safe to repeat.
 */
export async function settleLostClaims(town: Town): Promise<SettledClaims> {
  const result: SettledClaims = { settled: [], waiting: [] }
  for (const lost of lostClaims(town)) {
    const who = lost.kind === 'bead' ? lost.agent.id : lost.session.agent
    try {
      if (await isLongOver(town, lost)) continue
      const busy = runningMerge(town, lost)
      if (busy !== undefined) result.waiting.push(`${who}: ${busy} is being merged right now`)
      else result.settled.push(await settle(town, lost))
    } catch (error) {
      const words = error instanceof GtError ? error.message : String(error)
      result.waiting.push(`${who}: ${lost.why}, but its session could not be cleared away: ${words}`)
    }
  }
  return result
}

function lostClaims(town: Town): LostClaim[] {
  const view = town.ledger.read()
  const agents = view.list({ kind: 'agent' }).map(agentFrom)
  if (agents.every((agent) => agent.home === undefined)) return []
  // Only a name that another machine has can be used twice; sessions add up over the years.
  const isNameTaken = agents.some((agent) => !isHere(town, agent.home))
  const sessions = isNameTaken ? view.list({ kind: 'session' }).map(sessionFrom) : []
  return findLostClaims({
    agents,
    sessions: sessions.filter((session) => session.endedAt === undefined),
    beads: (key) => findBead(view, key),
    claimed: view.list({ kind: 'bead', status: ['hooked', 'in_review'] }).map(beadFrom),
    isHere: (home) => isHere(town, home),
  })
}

/** A session that ended without anybody noting it, before the name went to another machine: nothing is left to end or save. */
async function isLongOver(town: Town, lost: LostClaim): Promise<boolean> {
  if (lost.kind === 'bead' || lost.beads.length > 0 || town.host.holdsFiles(lost.session.worktree))
    return false
  const { session } = lost
  const live = await (await town.orchestrator()).status(session.agent)
  if (live.kind !== 'stopped') return false
  const at = new Date(town.clock.now()).toISOString()
  town.ledger.transact(GT, () => ({ ops: [{ o: 'set', id: session.id, f: { ended_at: at } }] }))
  return true
}

/** What lands now cannot be called back; its outcome is seen the next time. */
function runningMerge(town: Town, lost: LostClaim): string | undefined {
  const view = town.ledger.read()
  const running = view
    .list({ kind: 'merge', status: 'running' })
    .map(mergeFrom)
    .find((merge) => merge.agent === agentOf(lost) && isHere(town, merge.home))
  const isAlive = running?.runner !== undefined && town.host.isProcessAlive(running.runner) !== false
  return isAlive ? running?.shownId : undefined
}

function agentOf(lost: LostClaim): string {
  return lost.kind === 'bead' ? lost.agent.id : lost.session.agent
}

async function settle(town: Town, lost: LostClaim): Promise<string> {
  withdrawMerges(town, lost)
  town.step('lost.withdrawn')
  const salvage = lost.kind === 'bead' ? await clearOwn(town, lost) : await clearNamesake(town, lost)
  town.step('lost.cleared')
  const kept = salvage === undefined ? 'Its tree held nothing new.' : `Its tree is saved in ${salvage}.`
  town.ledger.transact(GT, (view) => ({ ops: settleOps(town, view, lost, kept) }))
  return `${agentOf(lost)} was stopped: ${lost.why}. ${kept}`
}

/** Entries of this machine for work that is not ours any more must not land. */
function withdrawMerges(town: Town, lost: LostClaim): void {
  town.ledger.transact(GT, (view) => ({
    ops: view
      .list({ kind: 'merge', status: ['queued', 'waiting', 'running'] })
      .map(mergeFrom)
      .filter(
        (merge) => merge.agent === agentOf(lost) && merge.home !== undefined && isHere(town, merge.home),
      )
      .map(
        (merge): Op => ({
          o: 'move',
          id: merge.id,
          gen: merge.generation + 1,
          f: { status: 'rejected', reason: 'its claim was overruled by another machine', runner: null },
        }),
      ),
  }))
}

async function clearOwn(
  town: Town,
  { agent, why }: LostClaim & { kind: 'bead' },
): Promise<string | undefined> {
  return (await clearAway(town, agent, why, 'stopped')).salvage
}

/** The record of that name is the other machine's by now; session and tree are known from the session's own record. */
async function clearNamesake(
  town: Town,
  { session, why }: LostClaim & { kind: 'agent' },
): Promise<string | undefined> {
  const entity = town.ledger.read().get(session.agent)
  if (entity === undefined) return undefined
  const { branch: _, ...theirs } = agentFrom(entity)
  const ours = { ...theirs, session: session.id, worktree: session.worktree }
  return (await clearAway(town, ours, why, 'stopped')).salvage
}

function settleOps(town: Town, view: View, lost: LostClaim, kept: string): Op[] {
  const agent = agentOf(lost)
  const ops: Op[] =
    lost.kind === 'bead' ? releaseOps(town, view, lost) : lost.beads.flatMap((bead) => giveBack(view, bead))
  if (lost.kind === 'bead' && ops.length === 0) return []
  const letter = {
    from: GT,
    subject:
      lost.kind === 'bead'
        ? `${lost.bead?.shownId ?? agent} is not yours any more`
        : `${agent} was stopped here`,
    body: `${lost.why}.\nThe session of ${agent} on this machine was ended. ${kept}\nSee: gt salvage list`,
  }
  for (const to of [...(lost.kind === 'bead' ? [agent] : []), HUMAN])
    ops.push(...mailOps(town, view, { ...letter, to }).ops)
  ops.push({
    o: 'ev',
    type: 'claim.lost',
    data: { agent, why: lost.why, bead: lost.kind === 'bead' ? (lost.bead?.id ?? '') : '' },
  })
  return ops
}

/** The agent is free; the bead, which is the other's, is not touched. */
function releaseOps(town: Town, view: View, { agent }: LostClaim & { kind: 'bead' }): Op[] {
  const entity = view.get(agent.id)
  const now = entity === undefined ? undefined : agentFrom(entity)
  if (now === undefined || now.hook !== agent.hook || !isHere(town, now.home)) return []
  const f = { hook: null, slinger: null, worktree: null, branch: null, base: null }
  return [{ o: 'move', id: agent.id, gen: now.generation + 1, f }]
}

function giveBack(view: View, bead: Bead): Op[] {
  const now = findBead(view, bead.id)
  if (now === undefined || now.generation !== bead.generation) return []
  return [statusMove(now, 'open', { assignee: null, home: null })]
}
