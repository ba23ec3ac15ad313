/**
 * What the store holds, as plain data: records made of operations, and the entities they fold into.
 * The format is described in src/store/DESIGN.md; nothing here knows about files.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export const ENTITY_KINDS = [
  'bead',
  'mail',
  'agent',
  'session',
  'convoy',
  'merge',
  'pool',
  'ask',
  'usage',
  'rig',
  'clone',
] as const
export type EntityKind = (typeof ENTITY_KINDS)[number]

/** Free-form registers; `null` clears one. */
export type Fields = Record<string, Json>

export type Op =
  | { o: 'new'; id: string; k: EntityKind; a?: number; f: Fields }
  /** `b`: fields whose text is kept beside the log however short it is, so that no reader of the entity pays for it. */
  | { o: 'set'; id: string; f: Fields; b?: readonly string[] }
  | { o: 'add' | 'del'; id: string; f: string; x: string[] }
  /** Guarded transition to generation `gen` = the generation that was seen + 1. */
  | { o: 'move'; id: string; gen: number; f: Fields }
  | { o: 'say'; id: string; x: string }
  | { o: 'ev'; type: string; data: Fields }
  | { o: 'gone'; id: string }
  /** Destroys what was written before: everything, a field or set, or a comment. See PurgeTarget. */
  | { o: 'purge'; id: string; what: PurgeTarget }
  | PastOp

/** `*`: all texts and values of the entity, for ever. Else what was written to a field, or a comment by its id. */
export type PurgeTarget = '*' | `f:${string}` | `c:${string}`

/**
 * What another tracker says of an entity, dated as it says: each part counts unless something later is here, so joining it
 * twice, late or on two machines is the same as once. It is never void: where status or assignee of something that is here
 * shall change, a `move` goes with it.
 */
export interface PastOp {
  o: 'past'
  id: string
  k: EntityKind
  /** Since when the values hold: ISO 8601, UTC, with ms. */
  at: string
  /** Only for an entity that is new here; then `first` may hold its status and assignee. */
  born?: { at: string; by: string }
  first?: Fields
  f: Fields
  add?: Record<string, string[]>
  del?: Record<string, string[]>
  say?: Comment[]
  gone?: boolean
}

export interface Entity {
  /** The key: what the log holds. */
  id: string
  /** What people see and type: the key, or its shortest unambiguous form. */
  shownId: string
  kind: EntityKind
  /** 1 after `new`, +1 for each `move` that won. */
  generation: number
  /** Present registers only; a cleared register is absent. */
  fields: Readonly<Record<string, Json>>
  /** Set-valued fields such as labels and deps, each sorted. */
  sets: Readonly<Record<string, readonly string[]>>
  commentCount: number
  /** ISO 8601, UTC. */
  createdAt: string
  createdBy: string
  updatedAt: string
}

export interface Comment {
  /** Names it, the same on every machine. */
  id: string
  at: string
  by: string
  text: string
}

export interface TownEvent {
  /** Stamp of the record plus the index of the op in it: total order, usable as a cursor. */
  cursor: string
  at: string
  by: string
  type: string
  data: Fields
}
