import type { AskPolicy } from './ask-policy.js'
import type { Rig } from './rig.js'
import type { Runtime } from './runtime.js'

/** How gt controls sessions; `hybrid` routes each agent to one of the other two. */
export const BACKEND_NAMES = ['tmux', 'opencode', 'hybrid'] as const
export type BackendName = (typeof BACKEND_NAMES)[number]

/** What happens when the server of a new session does not start. */
export type FallbackRule = 'fail' | 'tmux' | 'ask'

/** The OpenCode servers of a town. */
export interface ServerConfig {
  /** One that the user runs, instead of any of ours. */
  url?: string
  sessionsPerServer: number
  /** One that takes more gets no new session, and is started again when its sessions rest. */
  maxMemoryBytes: number
  startTimeoutMs: number
  /** Whether servers get a catalogue of only those models that can be used, where that is safe. */
  trimsCatalogue: boolean
}

/** A role is data: a template plus defaults. */
export interface Role {
  name: string
  /** What prime says about the role: the text of a template. */
  template: string
  runtime?: string
  backend?: 'tmux' | 'opencode'
  model?: string
  /** `done`: takes one bead and ends when it is merged. `never`: long-lived. */
  ends: 'done' | 'never'
  autonomous: boolean
}

export interface Limits {
  /** Live sessions in the town. */
  agents: number
  /** Longest prime text, mail shown at once, and nudge, in bytes of UTF-8. */
  primeBytes: number
  mailBytes: number
  nudgeBytes: number
  /** How long a turn may stand still before it counts as stalled. */
  stalledAfterMs: number
}

/** What happens to asks that nobody answers by hand. */
export interface AskConfig {
  deadlineMs: number
  onDeadline: 'deny' | 'allow' | 'wait'
  /** In the order of town.toml: the first that fits counts. */
  policies: readonly AskPolicy[]
}

/** Where the beads of several machines meet. */
export interface StoreConfig {
  /** Beads that were closed, and not touched, for this long are left out of lists. */
  archiveAfterMs: number
  /** Address of a git repository; undefined: this machine alone. */
  remote?: string
  /** `hidden`: outside of its branches, for a repository that holds a project. */
  remoteRefs: 'branches' | 'hidden'
}

/** town.toml as the rest of gt sees it: complete, defaults filled in, read-only. */
export interface TownConfig {
  name: string
  backend: BackendName
  fallback: FallbackRule
  servers: ServerConfig
  runtime: string
  role: string
  /** Extra variables of the caller that agents may see. */
  passEnv: readonly string[]
  limits: Limits
  store: StoreConfig
  asks: AskConfig
  roles: Readonly<Record<string, Role>>
  runtimes: Readonly<Record<string, Runtime>>
  rigs: Readonly<Record<string, Rig>>
}
