import type { EntityKind, Json } from '../domain/record.js'

/**
 * The log itself: what was asked for, by whom and when, and whether it counts. Loaded only by commands that look back;
 * what is true now is the Ledger's business.
 */
export interface Chronicle {
  /** Newest first, of all clones; reads only as much as is taken. What a file lost while it was read is left out, with its base in its place. */
  records(query?: RecordQuery): Iterable<LoggedRecord>

  /** Everything that the log still says of one entity, oldest first. Folds the whole log once. */
  history(id: string): EntityHistory
}

export interface RecordQuery {
  by?: string
  /** Only records that name this key. */
  mentions?: string
  /** ISO 8601, UTC. */
  since?: string
  until?: string
}

export interface LoggedRecord {
  stamp: string
  at: string
  by: string
  /** The directory that wrote it. */
  clone: string
  /** As they stand, kinds that this version does not know included. */
  ops: readonly Json[]
  /** The line stands for all older ones of this clone, of which only the outcome was kept. */
  base?: { entities: number }
}

export interface EntityHistory {
  kind?: EntityKind
  entries: HistoryEntry[]
  /** Up to here compaction left only the outcome: overwritten values and who wrote them are gone. */
  compactedUpTo?: string
}

/**
 * `void`: another writer of the same clone was first, nothing of the record counts. `overruled`: another clone's change of the
 * same generation, or a later value, won.
 */
export type HistoryVerdict = 'counts' | 'void' | 'overruled'

export interface HistoryEntry {
  stamp: string
  at: string
  by: string
  clone: string
  /** `outcome`: what compaction left of all before. `imported`: dated elsewhere, taken here at `at`. */
  kind: 'made' | 'changed' | 'imported' | 'outcome' | 'deleted' | 'event'
  verdict: HistoryVerdict
  changes: HistoryChange[]
  comments: { at: string; by: string; text: string }[]
  events: { type: string; data: Readonly<Record<string, Json>> }[]
}

export interface HistoryChange {
  field: string
  /** null: nothing. */
  from: Json
  to: Json
  /** Elements of a set. */
  added?: string[]
  removed?: string[]
}
