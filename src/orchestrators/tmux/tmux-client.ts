import { ExternalError, GtError, TimeoutError } from '../../domain/errors.js'
import { type RunResult, tail, tryRun } from '../../system/run.js'

export interface TmuxClient {
  readonly socketPath: string
  /** Program and options that come before every command. */
  readonly argv: readonly string[]
  /** Runs commands given as arguments: for short ones, a message to the server holds 16 KB. @returns standard output */
  run(args: readonly string[], stdin?: string): Promise<string>
  /**
   * Runs lines of commands through standard input: no limit of length, and nothing secret in the process list.
   * Starts the server when there is none.
   */
  script(lines: readonly string[]): Promise<string>
}

export interface TmuxClientOptions {
  socketPath: string
  /** Absolute, or a name for execvp. */
  binary: string
  timeoutMs: number
}

/**
 * The one place that runs tmux. The environment is empty: the client that happens to start the server gives it its
 * own environment, and the server hands that to every session. -u instead of a locale: UTF-8 in and out.
 */
export function createTmuxClient(options: TmuxClientOptions): TmuxClient {
  const argv = [options.binary, '-u', '-S', options.socketPath, '-f', '/dev/null']
  const run = async (args: readonly string[], stdin?: string) => {
    const whole = [...argv, ...args]
    const limits = { env: {}, cwd: '/', timeoutMs: options.timeoutMs }
    const result = await tryRun(whole, stdin === undefined ? limits : { ...limits, stdin }).catch(
      (error: unknown) => {
        throw notAnswering(error)
      },
    )
    if (result.exitCode === 0) return result.stdout
    throw tmuxError(whole, result)
  }
  return {
    socketPath: options.socketPath,
    argv,
    run,
    script: (lines) => run(['start-server', ';', 'source-file', '-'], `${lines.join('\n')}\n`),
  }
}

/** `no-server` is the one that says "nothing runs"; every other means that we do not know. */
export type TmuxFailure = 'no-server' | 'server-lost' | 'no-target' | 'duplicate-session' | 'tmux-failed'

const FAILURES: readonly [RegExp, TmuxFailure][] = [
  [
    /no server running on|error connecting to .*\((No such file or directory|Connection refused)\)/,
    'no-server',
  ],
  [/server exited unexpectedly|lost server|server exited/, 'server-lost'],
  [/can't find (session|window|pane)|no such (session|window|pane)|no current target/, 'no-target'],
  [/duplicate session/, 'duplicate-session'],
]

export function tmuxFailureOf(said: string): TmuxFailure {
  return FAILURES.find(([pattern]) => pattern.test(said))?.[1] ?? 'tmux-failed'
}

function tmuxError(argv: readonly string[], result: RunResult): ExternalError {
  const said = tail(result.stderr).trim()
  const failure = tmuxFailureOf(said)
  return new ExternalError(`tmux failed: ${said || `exit code ${result.exitCode}`}`, {
    code: failure,
    details: { argv: [...argv], exitCode: result.exitCode, stderr: said },
  })
}

function notAnswering(error: unknown): unknown {
  if (!(error instanceof TimeoutError)) return error
  return new ExternalError('the tmux server does not answer', {
    code: 'tmux-not-answering',
    hint: 'nothing was done; try again, and if it stays so, end that server by hand (gt attach --print shows its socket)',
    details: error.details,
    cause: error,
  })
}

export function isTmuxFailure(error: unknown, ...failures: readonly TmuxFailure[]): error is ExternalError {
  return error instanceof GtError && failures.some((failure) => failure === error.code)
}
