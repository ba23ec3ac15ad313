/**
 * The one error hierarchy. The class says what the reader can do about it (and fixes the exit code),
 * `code` says exactly what happened, `hint` is one next action.
 */
export interface ErrorFacts {
  code: string
  hint?: string
  details?: Record<string, unknown>
  cause?: unknown
}

export abstract class GtError extends Error {
  abstract readonly exitCode: number
  /** Stable, kebab-case: `agent-not-found`. */
  readonly code: string
  readonly hint?: string
  /** Facts for `--json` and the log; never secrets. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = new.target.name
    this.code = facts.code
    if (facts.hint !== undefined) this.hint = facts.hint
    this.details = facts.details ?? {}
  }
}

/** The request was valid but could not be done, and nothing below fits. */
export class OperationError extends GtError {
  readonly exitCode = 1
}

/** Wrong flags or arguments. */
export class UsageError extends GtError {
  readonly exitCode = 2
}

export interface ConfigProblem {
  /** 1-based; undefined when the key is absent altogether. */
  line?: number
  key: string
  message: string
}

/** town.toml is missing or wrong; lists every problem with file, line and key. */
export class ConfigError extends GtError {
  readonly exitCode = 3
}

/** No such town, rig, agent, bead or message. */
export class NotFoundError extends GtError {
  readonly exitCode = 4
}

/** Already claimed, already running, ref moved on. */
export class ConflictError extends GtError {
  readonly exitCode = 5
}

/** git, tmux or OpenCode failed; keeps argv, exit code and the end of stderr in `details`. */
export class ExternalError extends GtError {
  readonly exitCode = 6
}

/** Says what was awaited, for how long, and what was seen last. */
export class TimeoutError extends GtError {
  readonly exitCode = 7
}

/** A broken promise in our own code. */
export class BugError extends GtError {
  readonly exitCode = 70
}

/** A failed transaction after its steps were undone: the exit code is that of the cause. */
export class RolledBackError extends GtError {
  readonly exitCode: number
  constructor(cause: GtError, said: string, details: Record<string, unknown>) {
    super(`${cause.message} (${said})`, {
      code: cause.code,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      details: { ...cause.details, ...details },
      cause,
    })
    this.exitCode = cause.exitCode
  }
}

/** A status for scripts without text, e.g. "no mail". */
export class SilentExit extends GtError {
  readonly exitCode: number
  constructor(exitCode: number) {
    super('', { code: 'silent' })
    this.exitCode = exitCode
  }
}
