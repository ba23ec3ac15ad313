/**
 * Care of the store beyond reading and appending: exchange with other machines, compaction, proof that it is whole.
 * Loaded only by the commands that do such work; nothing on the way of `prime` or `sling` needs it.
 */
export interface Upkeep {
  /** The `.beads` directory. */
  readonly dir: string

  /** What the store needs by now; empty when nothing. Cheap. */
  due(): Promise<UpkeepWork[]>

  /**
   * Replaces the closed files of this directory's own chain by one line for each entity. Nothing that counts is lost;
   * overwritten values and events older than 14 days go. Safe at any time, beside any readers and writers.
   *
   * @throws ConflictError code `compaction-runs`; OperationError `disk-full`, `store-not-writable` (nothing changed then);
   *   ConfigError `store-format`
   */
  compact(options?: { dryRun?: boolean }): Promise<Compaction>
}

export type UpkeepWork = 'compact'

/** Files of the own chain. */
export interface ChainSize {
  files: number
  bytes: number
}

export interface Compaction {
  clone: string
  /** Number of the last segment that the base now stands for; 0: there is no base. */
  upTo: number
  /** Segments that were replaced. */
  segments: number
  entities: number
  before: ChainSize
  after: ChainSize
  /** A segment that was left alone, with all after it. */
  stopped?: { segment: number; why: string }
}
