import type { BeadStatus } from '../bead.js'
import type { EntityKind } from '../record.js'

/**
 * Which fields of a bd issue have a register of the same name here: the exported ones of `types.Issue` in gastownhall/beads
 * (internal/types/types.go), last compared 2026-11. Anything else goes into `x.<name>` and comes out again.
 */
const BD_FIELDS = [
  'title',
  'description',
  'design',
  'acceptance_criteria',
  'notes',
  'spec_id',
  'priority',
  'issue_type',
  'owner',
  'estimated_minutes',
  'started_at',
  'closed_at',
  'close_reason',
  'closed_by_session',
  'lease_expires_at',
  'heartbeat_at',
  'due_at',
  'defer_until',
  'external_ref',
  'source_system',
  'compaction_level',
  'compacted_at',
  'compacted_at_commit',
  'original_size',
  'sender',
  'ephemeral',
  'no_history',
  'wisp_type',
  'pinned',
  'is_template',
  'bonded_from',
  'await_type',
  'await_id',
  'timeout',
  'waiters',
  'source_formula',
  'source_location',
  'mol_type',
  'work_type',
  'event_kind',
  'actor',
  'target',
  'payload',
  'deleted_at',
  'deleted_by',
  'delete_reason',
  'original_type',
] as const

/** Registers of gt that bd does not know. They keep their names in an export, so that another gt reads them back. */
const GT_FIELDS: Partial<Record<EntityKind, readonly string[]>> = {
  bead: ['rig', 'strict', 'merged_as'],
  mail: ['in_reply_to', 'thread'],
  convoy: [],
}

/** What a mail calls the fields of a message. */
const MAIL_NAMES: Record<string, string> = { title: 'subject', description: 'body', sender: 'from' }

/** The kinds that bd knows as issues. */
export const BD_KINDS = ['bead', 'mail', 'convoy'] as const

const KINDS_BY_TYPE: Record<string, EntityKind> = { message: 'mail', convoy: 'convoy' }

export function kindOfType(type: unknown): EntityKind {
  return (typeof type === 'string' && Object.hasOwn(KINDS_BY_TYPE, type) && KINDS_BY_TYPE[type]) || 'bead'
}

/** The type of what gt made itself. */
export function typeOfKind(kind: EntityKind): string {
  return kind === 'mail' ? 'message' : kind === 'convoy' ? 'convoy' : 'task'
}

const KNOWN = new Set<string>(BD_FIELDS)
const ATTACHMENT = /^att\.[0-9a-z]+(\.data)?$/

export function registerName(kind: EntityKind, field: string): string {
  if (kind === 'mail' && Object.hasOwn(MAIL_NAMES, field)) return MAIL_NAMES[field] ?? field
  const isKnown = KNOWN.has(field) || GT_FIELDS[kind]?.includes(field) === true || ATTACHMENT.test(field)
  return isKnown ? field : `x.${field}`
}

/** The reverse of `registerName`; undefined for what is the store's own business. */
export function fieldName(kind: EntityKind, register: string): string | undefined {
  if (register.startsWith('x.')) return register.slice(2)
  if (kind === 'mail') {
    const mapped = Object.keys(MAIL_NAMES).find((name) => MAIL_NAMES[name] === register)
    if (mapped !== undefined) return mapped
  }
  return register
}

/** Types of bd and Gas Town that hold somebody's identity or state and are no work: they must not be ready to be slung. */
const NO_WORK = new Set([
  'agent',
  'role',
  'rig',
  'gate',
  'event',
  'slot',
  'queue',
  'channel',
  'group',
  'merge-request',
  'molecule',
  'wisp',
])

/** bd has more states of work than an issue that nobody here works on can be in. The word itself is kept for the way back. */
export function statusHere(
  kind: EntityKind,
  issue: { status?: unknown; gt_status?: unknown; issue_type?: unknown; is_template?: unknown },
): string {
  const { status, gt_status: gtStatus } = issue
  if (kind === 'convoy') return status === 'closed' ? 'closed' : 'open'
  if (kind === 'mail') return status !== 'closed' ? 'unread' : gtStatus === 'archived' ? 'archived' : 'read'
  if (status === 'closed' || status === 'deferred') return status
  const isWork = !(typeof issue.issue_type === 'string' && NO_WORK.has(issue.issue_type))
  if (status === 'pinned' || !isWork || issue.is_template === true) return 'deferred'
  return gtStatus === 'failed' ? 'failed' : 'open'
}

/** @returns the nearest status of bd, and our own word for it when that says more */
export function statusThere(kind: EntityKind, status: string): { status: string; gtStatus?: string } {
  if (kind === 'mail') {
    if (status === 'read') return { status: 'closed' }
    return status === 'archived' ? { status: 'closed', gtStatus: 'archived' } : { status: 'open' }
  }
  const near: Partial<Record<BeadStatus, string>> = { in_review: 'in_progress', failed: 'blocked' }
  const other = kind === 'bead' ? near[status as BeadStatus] : undefined
  return other === undefined ? { status } : { status: other, gtStatus: status }
}
