import type { Fallback } from '../domain/choose-backend.js'
import type { BackendName } from '../domain/config.js'
import type { AgentId } from '../domain/ids.js'
import type { LaunchValues, Runtime } from '../domain/runtime.js'

/**
 * Sessions of agents, whatever runs them (tmux, an OpenCode server, a mixture). Every backend passes
 * test/orchestrators/contract.ts. An ability that a backend lacks is absent from `capabilities` and its method throws
 * OperationError code `not-supported` naming backend and ability; nothing is ever faked.
 *
 * "Could not ask" is never "not running": when the backend does not answer, `status` returns `unknown` and
 * `list` throws ExternalError, or lists what it knows to be there as `unknown`.
 */
export interface Orchestrator {
  readonly backend: BackendName
  readonly capabilities: ReadonlySet<Capability>

  /**
   * Starts the agent's session with its command in place. Not repeatable: ConflictError code `already-running` while a
   * live session of that agent exists; a dead one (its screen kept) is replaced after its text was handed to `onRecycled`.
   * Returns when the process exists, not when the program is ready.
   */
  spawn(request: SpawnRequest): Promise<ObservedSession>
  /** @throws NotFoundError code `session-not-found` */
  get(agent: AgentId): Promise<ObservedSession>
  list(): Promise<ObservedSession[]>
  /** Gentle end, then force after `graceMs` (own process tree only). Repeatable: stopping what is gone is `alreadyGone`. */
  stop(agent: AgentId, options?: { graceMs?: number }): Promise<StopReport>
  /** Interrupts the running turn; the session lives on. @throws NotFoundError when there is no live session */
  abort(agent: AgentId): Promise<void>
  /**
   * A new session that continues the conversation `request.launch.session`. Where `takesPromptOnResume`, it is given
   * `request.launch.prompt`, with what was cut off; elsewhere the program ignores a prompt then.
   */
  resume(request: SpawnRequest): Promise<ObservedSession>
  /** A new session, of another agent, that starts from a copy of the conversation `request.launch.session` (before `launch.forkAt`). */
  fork(request: SpawnRequest): Promise<ObservedSession>
  /** Gives a running, idle session its next piece of work: `send`, but refused (ConflictError `busy`) while a turn runs, where that can be known. */
  assign(agent: AgentId, text: string, options?: SendOptions): Promise<Receipt>
  /** Puts text into the session and submits it. One at a time per session, across processes. @throws NotFoundError, ConflictError (code `session-dead`), UsageError (`text-too-long`), TimeoutError */
  send(agent: AgentId, text: string, options?: SendOptions): Promise<Receipt>
  /** `send` to each; one failure does not keep the others from theirs. */
  broadcast(
    agents: readonly AgentId[],
    text: string,
    options?: SendOptions,
  ): Promise<Map<AgentId, Receipt | Error>>
  /** Never throws for a gone or silent session: that is what it reports. */
  status(agent: AgentId): Promise<Liveness>
  /**
   * What the session shows now.
   * @returns Lines, top first, trailing blanks cut, no escape codes unless `escapes`. Also for a dead session whose screen is kept.
   * @throws NotFoundError
   */
  output(agent: AgentId, options?: { scrollbackLines?: number; escapes?: boolean }): Promise<string[]>
  /**
   * Lines as the session says them, each once, after the last `count` of what it said before. Absent, or undefined, where only
   * a screen can be looked at. Ends with the session, or when `signal` fires; survives a lost connection without losing or
   * repeating one.
   * @throws NotFoundError
   */
  follow?(
    agent: AgentId,
    options: { count: number; signal: AbortSignal },
  ): Promise<AsyncIterable<string> | undefined>
  /** Changes as they happen, until `signal` fires. Ends with `backend-gone` when the backend itself vanished. */
  events(signal: AbortSignal): AsyncIterable<OrchestratorEvent>
  /** How a person gets in front of it. argv of an ordinary program; `interactive` needs a terminal. */
  attachCommand(agent: AgentId): Promise<{ argv: string[] }>
  /** Whether a session of this request, continued, is given its prompt by the backend itself. */
  takesPromptOnResume?(request: Pick<SpawnRequest, 'agent' | 'runtime' | 'backend'>): boolean
  /** Whether a text needs neither a screen nor a plugin to arrive with a proof: it can be sent as soon as the session exists. */
  provesReceipts?(agent: AgentId): Promise<boolean>
  /** What can be known before anything is claimed: a missing program. @throws ExternalError code `missing-binary` */
  check?(request: Pick<SpawnRequest, 'runtime' | 'backend'>): Promise<void>
  /** Proof that nothing runs any more: ends every session and the backend's own processes. For tests, demo and `down`. */
  shutdown(): Promise<void>
}

export type Capability =
  | 'spawn'
  | 'stop'
  | 'abort'
  | 'resume'
  | 'fork'
  | 'assign'
  | 'send'
  | 'broadcast'
  | 'output'
  | 'events'
  | 'attach'

export interface SpawnRequest {
  agent: AgentId
  runtime: Runtime
  /** Absolute; the worktree. */
  cwd: string
  /** The complete environment of the program: nothing else of ours leaks in. */
  env: Readonly<Record<string, string>>
  launch: LaunchValues
  /** Receives the last screen of a dead session that is about to be replaced. */
  onRecycled?: (lines: string[]) => void
  /** Which backend, where the orchestrator has a choice; left out: by its own rule. */
  backend?: BackendName
  /** Told when another backend than the wanted one took the session, and why. */
  onFallback?: (fallback: Fallback) => void
  columns?: number
  rows?: number
}

export interface ObservedSession {
  agent: AgentId
  backend: BackendName
  liveness: Liveness
  /** For people: `pane %3`. */
  location: string
  /** What the program calls itself (pane title). */
  title: string
  /** Name of the foreground program. */
  command: string
  /** ISO; when something last appeared on its screen. */
  lastActivityAt?: string
  startedAt?: string
  /** What it does, where the backend itself can tell; a screen cannot. */
  activity?: Activity
  /** The program's own conversation id, where the backend knows it. */
  conversation?: string
}

/** `asking`: it waits for a person. `retry`: its model refused or is limited; `at` (ISO) is when it tries again. */
export type Activity =
  | { kind: 'busy' }
  | { kind: 'idle' }
  | { kind: 'asking'; what: 'permission' | 'question' }
  | { kind: 'retry'; message: string; at?: string }

export type Liveness =
  /** Without `pid`: on another machine. */
  | { kind: 'running'; pid?: number }
  | { kind: 'stopped'; exitCode?: number; signal?: string; at?: string; why: string }
  | { kind: 'unknown'; why: string }

export interface StopReport {
  kind: 'stopped' | 'alreadyGone'
  /** Last screen, when there was one. */
  screen: string[]
  /** Processes of the session's tree that had to be signalled, with the signal. */
  signalled: { pid: number; signal: string }[]
}

export interface SendOptions {
  /** Proof from the program itself (its plugin reports the message): polled until the deadline; false = press Enter again. */
  confirm?: (timeoutMs: number) => Promise<boolean>
}

/**
 * What is proven. `accepted`: the program itself reported the text. `shown`: the text was seen in the session's input and
 * the submit key was sent; a program without hooks cannot say more.
 */
export interface Receipt {
  kind: 'accepted' | 'shown'
  at: string
  attempts: number
  /** How it is known, for people. */
  evidence: string
}

export type OrchestratorEvent =
  | { kind: 'session-changed'; session: ObservedSession }
  | { kind: 'session-gone'; agent: AgentId }
  | { kind: 'backend-gone'; why: string }
