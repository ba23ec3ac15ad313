import type { Bead } from './bead.js'
import { members, text } from './fields.js'
import type { Entity } from './record.js'

/** A set of beads followed as one delivery. */
export interface Convoy {
  id: string
  shownId: string
  generation: number
  title: string
  status: 'open' | 'closed'
  beads: readonly string[]
  createdAt: string
  createdBy: string
}

export function convoyFrom(entity: Entity): Convoy {
  return {
    id: entity.id,
    shownId: entity.shownId,
    generation: entity.generation,
    title: text(entity, 'title') ?? '(no title)',
    status: text(entity, 'status') === 'closed' ? 'closed' : 'open',
    beads: members(entity, 'beads'),
    createdAt: entity.createdAt,
    createdBy: entity.createdBy,
  }
}

export interface ConvoyProgress {
  total: number
  closed: number
  inReview: number
  hooked: number
  open: number
}

export function convoyProgress(beads: readonly Bead[]): ConvoyProgress {
  const count = (...statuses: Bead['status'][]) =>
    beads.filter((bead) => statuses.includes(bead.status)).length
  return {
    total: beads.length,
    closed: count('closed'),
    inReview: count('in_review'),
    hooked: count('hooked'),
    open: count('open', 'deferred', 'failed'),
  }
}
