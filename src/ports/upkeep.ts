import type { Finding, Mended } from '../domain/finding.js'
import type { PurgeTarget } from '../domain/record.js'

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

  /**
   * One exchange with the remote: own new records go out, those of other machines come in. Safe to repeat and to kill at any
   * moment; one runs at a time. May block until its deadline.
   *
   * @throws ExternalError codes `remote-unreachable`, `remote-not-found`, `remote-auth`, `remote-refused`, `remote-disk-full`,
   *   `disk-full`, `remote-failed`: what came in before is whole, nothing else changed; TimeoutError code `remote-timeout`;
   *   ConflictError codes `sync-busy`, `sync-contention`; ConfigError code `store-format`; UsageError for a bad address
   */
  sync(request: SyncRequest): Promise<SyncReceipt>

  /**
   * Takes the right to move entity `key` to `generation`, before anybody else on any machine does: a ref on the remote that
   * must not exist yet. Asking again by the same holder is fine; another process of this machine gets it when the holder is gone.
   * Given back by a later sync, once the move is recorded and sent, or when the holder is gone without one.
   *
   * @throws as sync, when the remote could not be asked
   */
  lease(request: LeaseRequest): Promise<LeaseAnswer>

  /** Whose chains are here. Reads all of the log. */
  clones(): Promise<CloneInfo[]>

  /**
   * Takes all that counts in the chain of another clone over into our own, every stamp kept. Doing it twice changes nothing.
   * @throws NotFoundError code `clone-not-found`; ConflictError codes `own-clone`, `sync-busy`,
   *   `chain-damaged`: what is here of it is not whole, or not what the remote has; nothing was taken over then
   */
  adopt(clone: string): Promise<AdoptedChain>

  /**
   * Deletes the chain of a clone that was adopted: its branch on the remote, then our copy. `alive`: the branch or the copy is
   * not exactly what was adopted, and nothing was deleted. The last commit stays under refs/archive/retired/<clone> of the
   * store's repository, unless it holds what was purged.
   * @throws as sync; OperationError code `adopted-not-sent`
   */
  dropChain(request: DropRequest): Promise<'dropped' | 'alive'>

  /** How the exchange stands; undefined when there was none yet. Reads one small file. */
  syncState(): SyncState | undefined

  /**
   * Packs the store's own git history and makes one commit of this clone's branch, same tree, when its first commit is 90
   * days old. The old commits stay under refs/archive/ of this repository. Safe beside commits and pushes.
   *
   * @param options - squash: also when the branch is younger
   * @throws ExternalError codes `git-failed`, `git-missing`
   */
  packHistory(options?: { squash?: boolean }): Promise<HistoryCare>

  /** Says what `purge` would destroy. Changes nothing. */
  previewPurge(request: PurgeRequest): Promise<PurgeReceipt>

  /**
   * Destroys what was written: in the own chain, in the cache and the blobs, and in the own git history, all of which is thrown
   * away. Leaves a record of it that makes every other clone do the same. Safe to repeat; a killed one is finished by
   * `finishPurges`.
   *
   * @throws OperationError code `purge-incomplete` naming what could not be rewritten; ExternalError code `git-failed`
   */
  purge(request: PurgeRequest): Promise<PurgeReceipt>

  /** Does for every purge that is known here, also of other clones, what was not done yet. @returns how many there were */
  finishPurges(): Promise<number>
  /**
   * Examines everything in the directory, and changes nothing. What cannot be looked at is a finding, too. Fixes of findings may
   * be applied later, beside running writers; several findings may share one.
   * @param options.deep - seconds of work: real writers at once, every long text and every object of the history read
   */
  check(options: { deep?: boolean }): Promise<Finding[]>

  /** Where the bytes are. */
  size(): Promise<StoreSize>

  /** Makes the cache again, and commits; the log is not touched. Safe to repeat, and beside running writers. */
  rebuild(): Promise<Mended[]>
}

export type UpkeepWork = 'compact' | 'squash' | 'gc' | 'purge'

export interface HistoryCare {
  /** Of the own branch, before. */
  commits: number
  /** Ref that keeps them, when they were made one. */
  archivedAs?: string
  /** Bytes of the repository. */
  before: number
  after: number
}

/** What is destroyed: everything of an entity, or some of its fields, sets and comments. */
export interface PurgeRequest {
  id: string
  what: readonly PurgeTarget[]
  by: string
}

export interface PurgeReceipt {
  /** Values, elements and comments that are destroyed; not their copies elsewhere. */
  values: number
  events: number
  /** Blobs deleted. */
  blobs: number
  /** Commits of the own history that were thrown away. */
  commits: number
  /** Other clones whose chains are here: each destroys its own copies when it next runs. */
  otherClones: string[]
  /** Folders of ours that may hold copies and were not touched. */
  untouched: string[]
}

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
  /** Texts that nothing named any more, for a day at least, and that were deleted. */
  blobs?: ChainSize
  /** A segment that was left alone, with all after it. */
  stopped?: { segment: number; why: string }
}

/** A git repository that the machines of a town share. */
export interface Remote {
  url: string
  /** `branches`: refs/heads/beads/<clone>. `hidden`: refs/gt/beads/<clone>, for a repository that holds a project. */
  refs: 'branches' | 'hidden'
}

export interface SyncRequest {
  remote: Remote
  /** Look and tell, change nothing of the store. */
  dryRun?: boolean
  /** For everything together. */
  timeoutMs: number
  /** How long to wait for another sync of this store. */
  waitMs: number
  signal?: AbortSignal
}

export interface SyncReceipt {
  /** Without secrets. */
  remote: string
  /** Id that this machine writes under. */
  clone: string
  dryRun: boolean
  sent: Transferred
  /** Clones that something came from, by id. */
  received: (Transferred & { clone: string })[]
  /** Clones whose chains another one took over; their files are gone here. */
  retired: string[]
  /** Own files with records that did not go out: they no longer begin with what was sent of them. */
  withheld: string[]
  /** Clones whose records are here and not on the remote: it was made anew, or their branch was deleted there. */
  missing: string[]
  /** What was not taken in, and why. Nothing of these chains changed here. */
  refused: { clone: string; code: string; why: string }[]
  /** Lines that came in damaged: counted, without effect. */
  damagedLines: number
  /** This machine's id was in use elsewhere: it took a new one. */
  renamed?: { from: string; to: string; records: number }
}

export interface Transferred {
  records: number
  bytes: number
}

export interface CloneInfo {
  clone: string
  /** `former`: an id that this machine wrote under before. */
  kind: 'own' | 'former' | 'other'
  files: number
  bytes: number
  /** ISO 8601. */
  lastRecordAt?: string
}

export interface AdoptedChain {
  records: number
  /** Bytes of each file of it that was taken over. */
  files: Record<string, number>
  /** What exactly was taken over: git's names of the contents of the files that count. */
  objects: Record<string, string>
  /** Bytes of each file of the own chain afterwards. */
  own: Record<string, number>
}

export interface DropRequest {
  clone: string
  adopted: AdoptedChain
  remote?: Remote
  timeoutMs: number
  signal?: AbortSignal
}

export interface LeaseRequest {
  remote: Remote
  key: string
  generation: number
  /** Who asks, for whoever comes second. */
  by: string
  /** `pid:startTime` of the process that will move it. */
  holder: string
  timeoutMs: number
  signal?: AbortSignal
}

export type LeaseAnswer =
  | { kind: 'leased' }
  | { kind: 'taken'; by: string; clone: string; host: string; at: string }

export interface SyncState {
  remote: string
  /** ISO 8601; undefined: never. */
  lastOkAt?: string
  /** Of the newest try, when it failed. */
  lastError?: { at: string; code: string; message: string }
  /** See SyncReceipt.missing. */
  missing?: string[]
  /** Milliseconds since the oldest record that the remote lacks; undefined: it has everything. */
  unsentForMs?: number
}

export interface StoreSize {
  totalBytes: number
  /** Folders of the store. */
  parts: { name: string; files: number; sizeBytes: number }[]
  /** The log, by the machine that wrote it. */
  clones: { clone: string; segments: number; segmentBytes: number; bases: number; baseBytes: number }[]
  /** Present state, largest kind first. */
  kinds: { kind: string; count: number; sizeBytes: number }[]
  events: { count: number; sizeBytes: number }
  /** Largest first. */
  largest: { id: string; kind: string; title: string; sizeBytes: number }[]
}
