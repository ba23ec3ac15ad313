import { type Bead, type BeadStatus, beadFrom, byUrgency, isDeferred } from '../domain/bead.js'
import type { View } from '../ports/ledger.js'

export interface BeadFilter {
  status?: readonly (BeadStatus | 'blocked')[]
  rig?: string
  /** All of them. */
  labels?: readonly string[]
  assignee?: string
  /** Beads closed long ago, which lists leave out. */
  archived?: 'too' | 'only'
}

export interface ListedBead extends Bead {
  /** Keys of blockers that are not closed. */
  openBlockers: readonly string[]
}

/** By urgency. Without a status filter, everything that is not closed. */
export function listBeads(view: View, filter: BeadFilter): ListedBead[] {
  const wanted = filter.status ?? ['open', 'hooked', 'in_review', 'deferred', 'failed', 'blocked']
  const stored = [...new Set(wanted.map((status) => (status === 'blocked' ? 'open' : status)))]
  return view
    .list({
      kind: 'bead',
      status: stored,
      ...(filter.assignee === undefined ? {} : { assignee: filter.assignee }),
      ...(filter.archived === undefined ? {} : { archived: filter.archived }),
    })
    .map(beadFrom)
    .filter((bead) => filter.rig === undefined || bead.rig === filter.rig)
    .filter((bead) => filter.labels?.every((label) => bead.labels.includes(label)) !== false)
    .map((bead) => Object.assign(bead, { openBlockers: openBlockers(view, bead) }))
    .filter((bead) => bead.status !== 'open' || wanted.includes('open') || bead.openBlockers.length > 0)
    .sort(byUrgency)
}

/** Open, not waiting for anything, not set aside until later: what could be slung now. */
export function readyBeads(view: View, nowMs: number, rig?: string): ListedBead[] {
  return listBeads(view, { status: ['open'], ...(rig === undefined ? {} : { rig }) }).filter((bead) =>
    isReady(bead, nowMs),
  )
}

export function isReady(bead: ListedBead, nowMs: number): boolean {
  return bead.status === 'open' && bead.openBlockers.length === 0 && !isDeferred(bead, nowMs)
}

export function openBlockers(view: View, bead: Bead): string[] {
  return bead.blockedBy.filter((key) => {
    const status = view.statusOf(key)
    // What was deleted holds nothing back; what was never here may still come.
    return status !== 'closed' && status !== 'deleted'
  })
}
