import type { RigName } from './ids.js'

/** A repository under management. */
export interface Rig {
  name: RigName
  source: RigSource
  /** The target branch: only the merge queue moves it. */
  branch: string
  /** Prefix of ids made for beads of this rig. */
  prefix: string
  gates: readonly Gate[]
  /** Runtime for agents of this rig; undefined: the town's default. */
  runtime?: string
  /** Backend for agents of this rig; undefined: the town's. */
  backend?: 'tmux' | 'opencode'
  /** Agents at work in it at once; undefined: only the town's limit. */
  maxAgents?: number
}

export type RigSource =
  /** A bare clone in the town is shared by all worktrees; landing pushes to the remote. */
  | { kind: 'url'; url: string }
  /** The clone that the user already has; worktrees are attached to it, landing moves its branch. */
  | { kind: 'path'; path: string }

/** A check that the merge queue runs on exactly the tree that would land. */
export interface Gate {
  name: string
  /** A shell line. */
  run: string
  timeoutMs: number
}
