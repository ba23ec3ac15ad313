import type { EntityKind } from './record.js'

/** What nobody changes any more, as a rule: `all` whatever its status. Kinds that are listed as a whole are not here. */
const RESTING: Partial<Record<EntityKind, readonly string[] | 'all'>> = {
  bead: ['closed'],
  mail: ['read', 'archived'],
  session: 'all',
}

/** Whether an entity without a change for long may be put where it costs nothing until it is asked for. */
export function mayRest(kind: EntityKind, status: string): boolean {
  const statuses = RESTING[kind]
  return statuses === 'all' || statuses?.includes(status) === true
}

/**
 * Whether a bead that was not touched for long counts as archived: lists leave it out unless asked. Everything else about it
 * stays as it is.
 */
export function mayBeArchived(kind: EntityKind, status: string): boolean {
  return kind === 'bead' && status === 'closed'
}
