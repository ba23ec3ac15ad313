import type { Comment, Entity, EntityKind, Op, TownEvent } from '../domain/record.js'

/**
 * The one store, as the use cases see it. Implemented by src/store (an append-only log per clone).
 * Everything here is synchronous: a local append with fdatasync is a fraction of a millisecond.
 */
export interface Ledger {
  /** A view that includes everything acknowledged so far on this machine. Cheap to call again (reads only new tails). */
  read(): View

  /**
   * Decide on the newest view, then write what was decided as ONE record (all or nothing), durable on return.
   * When the record is void because another writer moved or created one of its entities first, `decide` is called
   * again with the fresh view; so `decide` must be pure and must check its own preconditions.
   *
   * @param by - agent id or `human`
   * @returns what `decide` returned the last time; when `ops` was non-empty it is on disk.
   * @throws OperationError code `disk-full` (nothing recorded), ConflictError code `ledger-contention` after 50 lost races,
   *   ConfigError code `store-format` when the directory was written by a newer format.
   */
  transact<D extends Decision>(by: string, decide: (view: View) => D): D

  /** Calls back after something was appended by any process; returns a function that stops it. Uses one inotify watch. */
  watch(onChange: () => void): () => void

  /** Commits the log to the store's own git history. Returns the commit id, or undefined when nothing changed. */
  commitHistory(message?: string): Promise<string | undefined>

  /** Milliseconds since the last commit of changes that are not committed yet; undefined when everything is committed. */
  uncommittedForMs(): number | undefined

  /**
   * Ids that this machine writes, and has written, under: the present one first. What carries one of them is, or was, ours;
   * see Agent.home.
   */
  ownClones(): readonly string[]

  /** Names of own log files that no longer hold what was committed of them: a disk or a hand took something. Cheap. */
  lostFiles(): string[]

  /** Writes a new snapshot when the uncovered tail is long (> 256 KiB or, with `force`, at all). Never needed for truth. */
  compactCache(force?: boolean): void
}

/** `ops` empty or absent: nothing is written and the decision is returned as it is (a refusal, or nothing to do). */
export interface Decision {
  ops?: Op[]
}

export interface EntityQuery {
  kind: EntityKind
  /** Value(s) of the `status` register. */
  status?: string | readonly string[]
  /** Value of the `assignee` register (for mail: the recipient). */
  assignee?: string
  /**
   * Beads that were closed long ago (`[store] archive_after`) and not touched since are archived: left out unless asked
   * for. `get`, `resolve`, `comments` and `referrers` find them as ever.
   */
  archived?: 'too' | 'only'
  /** Leaves out most of those that hold this text nowhere; small letters, and none that JSON writes otherwise. */
  text?: string
}

/** ISO 8601, UTC. Cleared fields and removed elements have a time, too. */
export interface EntityTimes {
  fields: Readonly<Record<string, string>>
  /** By field, then element. */
  sets: Readonly<Record<string, Readonly<Record<string, string>>>>
  goneAt?: string
  /** When something of it was purged last. */
  purgedAt?: string
}

/** An immutable-looking moment of the store. Valid until the next `read` or `transact` of its ledger. */
export interface View {
  get(id: string): Entity | undefined
  /** Only its `status`, without building the entity; `deleted`, or undefined for what was never there. */
  statusOf(id: string): string | undefined
  /** In order of creation. */
  list(query: EntityQuery): Entity[]
  /** Counts without building entities. */
  count(query: EntityQuery): number
  /**
   * What a person typed: an exact id or shown id, else any unique prefix of one.
   * @returns `ambiguous` with the shown ids that match, when more than one does.
   */
  resolve(
    kind: EntityKind,
    typed: string,
  ): { kind: 'found'; entity: Entity } | { kind: 'none' } | { kind: 'ambiguous'; ids: string[] }
  comments(id: string): Comment[]
  /** ISO 8601: events before this moment are not kept any more, whether or not their bytes still lie somewhere. */
  readonly eventsSince: string
  /** Oldest first, none from before `eventsSince`; `after` is a cursor of an earlier event. */
  events(query?: { after?: string; type?: string | readonly string[]; limit?: number }): TownEvent[]
  /** Reverse of a set field: entities of `kind` whose set `field` contains `element`. */
  referrers(kind: EntityKind, field: string, element: string): Entity[]
  /** Damage met while reading: shown by `gt status`, never silent. */
  readonly damage: { tornLines: number; badLines: number; unknownOps: number }
  /** Those that were deleted, as they were last; in order of creation. */
  tombstones(kind: EntityKind): Entity[]
  /** When each part of an entity got its present state; also of a deleted one. */
  times(id: string): EntityTimes | undefined
  /**
   * Beads made by one of `clones` that are shown longer than when they were made, because another machine had given the same
   * short form before. `announced` is what their creator was told.
   */
  grownIds(clones: readonly string[]): { id: string; announced: string; shown: string }[]
  /** How far a key of `prefix` made from random characters must be shown so that it is unambiguous now (>= 5). */
  shownLength(key: string): number
}
