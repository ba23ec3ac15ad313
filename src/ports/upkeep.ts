/**
 * Care of the store beyond reading and appending: exchange with other machines, compaction, proof that it is whole.
 * Loaded only by the commands that do such work; nothing on the way of `prime` or `sling` needs it.
 */
export interface Upkeep {
  /** The `.beads` directory. */
  readonly dir: string
}
