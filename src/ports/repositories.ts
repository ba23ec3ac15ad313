import type { AgentId } from '../domain/ids.js'
import type { Rig } from '../domain/rig.js'

/** Full hexadecimal object name. */
export type Sha = string

/**
 * Git, as the use cases see it: worktrees, branches, salvage, landing. Implemented by src/git.
 * `repository` below is always the directory of the repository that holds the refs: the bare clone of a URL rig, the
 * user's own clone of a path rig. No tracked file of a user's working tree is ever written except by `land`.
 */
export interface Repositories {
  /**
   * Makes a rig usable: URL: bare clone (repeatable; an interrupted clone is finished). Path: checks that it is a clone.
   * @returns the branch to target when the rig names none (remote HEAD, or the branch the clone has checked out).
   * @throws ExternalError (git's words), UsageError code `not-a-repository`, OperationError code `no-commits`
   */
  prepare(rig: { name: string; source: Rig['source'] }): Promise<{ defaultBranch: string; head: Sha }>
  /** Where a path belongs: the top of the clone around `path`, following a worktree to its main clone; undefined outside git. */
  findClone(path: string): Promise<{ top: string; originUrl?: string } | undefined>
  /** Newest commit of the target branch; URL rigs ask the remote first (`fetch`), with `offline` they do not. */
  targetHead(rig: Rig, options?: { offline?: boolean }): Promise<Sha>

  /**
   * New worktree on a new branch. Safe with many at once (a per-repository lock around git's own race).
   * Repeatable: the same path on the same branch is left as it is.
   * @throws ConflictError code `branch-exists` | `path-exists`
   */
  addWorktree(request: { rig: Rig; path: string; branch: string; base: Sha }): Promise<{ head: Sha }>
  /** @throws NotFoundError code `worktree-not-found` */
  worktreeState(rig: Rig, path: string, base?: Sha): Promise<WorktreeState>
  /**
   * Saves the whole tree, tracked changes and untracked files included (ignored ones not), and all commits of HEAD,
   * under `refs/gt/salvage/<agent>/<time>`, and reads it back. `nothing` when HEAD is reachable from `safeOn` and the tree is clean.
   */
  salvage(request: {
    rig: Rig
    path: string
    agent: AgentId
    reason: string
    at: Date
    safeOn?: Sha
  }): Promise<Salvage>
  /**
   * Puts the files of a salvage into a clean worktree that stands at the commit they were saved from; what was not
   * committed there is not committed here. Repeatable only from the start: a half-filled tree is dirty.
   * @throws ConflictError code `wrong-base` | `dirty-tree`
   */
  restoreTree(request: { rig: Rig; path: string; from: Sha }): Promise<void>
  /** The salvage must be of this path and still current, else ConflictError code `not-salvaged` and nothing is deleted. Repeatable. */
  removeWorktree(request: { rig: Rig; path: string; salvage: Salvage }): Promise<void>
  /**
   * Deletes the branch only while it points at `expected`; also on the remote for URL rigs. Absent is fine.
   * Without `expected`: only when all its commits are part of the target or of a salvage, else ConflictError code `branch-not-safe`.
   */
  deleteBranch(rig: Rig, branch: string, expected?: Sha): Promise<void>
  listSalvage(rig: Rig): Promise<{ ref: string; sha: Sha; at: string; subject: string }[]>
  /** Local file patterns git should not see, in the repository's own info/exclude. Repeatable, atomic. */
  exclude(rig: Rig, patterns: readonly string[]): Promise<void>
  unexclude(rig: Rig): Promise<void>
  isTracked(path: string, file: string): Promise<boolean>

  /**
   * Makes the branch safe beyond this worktree and proves it: URL rigs push `branch:branch` and read it back from the remote.
   * A path rig's branch already lives in the user's clone: it is read back there.
   * @returns what was read back
   */
  publish(rig: Rig, branch: string, head: Sha): Promise<{ where: string; sha: Sha }>

  /** Rebases `head` onto `target` in a throw-away worktree at `path` (made anew). Identity and dates of commits stay. */
  prepareCandidate(request: { rig: Rig; head: Sha; target: Sha; path: string }): Promise<Candidate>
  /** Removes a throw-away worktree made by prepareCandidate. Repeatable. */
  dropCandidate(rig: Rig, path: string): Promise<void>
  /**
   * Moves the target branch from `expected` to `candidate`, compare-and-swap. Repeatable after a kill at any instruction:
   * a half-followed checkout of ours is finished, never mistaken for the user's work.
   */
  land(request: { rig: Rig; candidate: Sha; expected: Sha }): Promise<Landing>
  /** Whether `sha` is on the target branch now (asks the remote of URL rigs). */
  isLanded(rig: Rig, sha: Sha): Promise<boolean>

  /** Lines added and removed between `base` and the worktree's present state, commits on top of base. */
  diffStat(path: string, base: Sha): Promise<{ added: number; removed: number; commits: number }>
  /** Commits of base..head, newest first, in which one of `files` begins with `startsWith`: a file of ours in a commit. */
  commitsHolding(
    rig: Rig,
    query: { base: Sha; head: Sha; files: readonly string[]; startsWith: string },
  ): Promise<{ commit: Sha; file: string }[]>
}

export interface WorktreeState {
  /** undefined: detached */
  branch?: string
  head: Sha
  /** `git status --porcelain` lines, untracked included. */
  dirty: string[]
  /** Commits on top of the merge base with the target (or `base`). */
  ahead: number
  /** A rebase, merge or cherry-pick that stands half done. */
  inProgress?: string
}

export type Salvage =
  /** `notSaved`: paths that could not be read; absent when everything was saved. */
  | { kind: 'saved'; ref: string; sha: Sha; path: string; notSaved?: string[] }
  | { kind: 'nothing'; head: Sha; path: string; why: string }

export type Candidate =
  | { kind: 'ready'; sha: Sha; commits: number }
  /** All its commits are on the target already. */
  | { kind: 'empty' }
  | { kind: 'conflict'; files: string[]; detail: string }

export type Landing =
  | { kind: 'landed'; sha: Sha; how: string }
  /** Somebody else moved the target first. */
  | { kind: 'moved'; actual: Sha }
  /** Only a person can clear the way: the target is checked out and dirty, the remote refuses, … */
  | { kind: 'blocked'; why: string }
