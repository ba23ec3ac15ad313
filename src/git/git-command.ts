import { Readable } from 'node:stream'
import type { SimpleGitOptions } from 'simple-git'
import { ExternalError, NotFoundError, TimeoutError } from '../domain/errors.js'
import { FIXED_CONFIG } from './git-environment.js'
import { gitFailure, isTemporary } from './git-failure.js'

export interface GitCall {
  args: readonly string[]
  cwd: string
  /** Added to the environment: GIT_DIR, GIT_INDEX_FILE, … */
  env?: Record<string, string>
  /** `key=value`, for this call only. */
  config?: readonly string[]
  /** Not empty: simple-git does not close the input then, and git would wait for ever. */
  input?: string | Buffer
  /** Kill git after this long without output. */
  silenceMs?: number
}

export interface GitResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** The one way gt runs git. */
export interface Git {
  /** Any exit code is an answer. @throws ExternalError when git could not be run, TimeoutError when it hung */
  attempt(call: GitCall): Promise<GitResult>
  /** @returns stdout. @throws ExternalError unless git exits with 0 */
  run(call: GitCall): Promise<string>
}

export interface GitOptions {
  /** As made by gitEnvironment. */
  env: Record<string, string>
  sleep(ms: number): Promise<void>
}

/** A held lock is usually free within milliseconds; the waits add up to about 1.5 s. */
const RETRY_WAITS_MS = [20, 50, 120, 300, 1000]
/** Far above any honest local operation; only there so that a hanging filter cannot block gt for ever. */
const LOCAL_SILENCE_MS = 30 * 60_000
/** A transfer shows progress all the time, so five silent minutes mean that the other side is gone. */
export const NETWORK_SILENCE_MS = 5 * 60_000
/** How long a background process of git's (an ssh master, a credential cache) may hold on to stderr after git ended. */
const HELD_STDERR_MS = 1000

export function createGit(options: GitOptions): Git {
  const attempt = async (call: GitCall): Promise<GitResult & { tries: number }> => {
    for (let tries = 1; ; tries++) {
      const result = await runOnce(call, options.env)
      const wait = RETRY_WAITS_MS[tries - 1]
      if (result.exitCode === 0 || wait === undefined || !isTemporary(result.stderr))
        return { ...result, tries }
      await options.sleep(wait)
    }
  }
  return {
    attempt,
    async run(call) {
      const result = await attempt(call)
      if (result.exitCode !== 0) throw gitFailure(call, result, result.tries)
      return result.stdout
    },
  }
}

async function runOnce(call: GitCall, baseEnv: Record<string, string>): Promise<GitResult> {
  // Loaded late: 25 ms that commands without git should not pay.
  const { simpleGit } = await import('simple-git')
  const env = { ...baseEnv, ...call.env }
  let exitCode = -1
  let stdout = Buffer.alloc(0)
  let stderr = Buffer.alloc(0)
  let problem: unknown
  const options: Partial<SimpleGitOptions> = {
    baseDir: call.cwd,
    config: [...FIXED_CONFIG, ...(call.config ?? [])],
    completion: { onClose: true, onExit: false },
    timeout: { block: call.silenceMs ?? LOCAL_SILENCE_MS },
    allowEnvironment: Object.keys(env),
    // The guards are for arguments that come from strangers. Ours are fixed words, checked names and full object ids.
    unsafe: UNGUARDED,
    // simple-git takes a silent non-zero exit for a success; here the caller decides on the exit code.
    errors: (error, result) => {
      exitCode = result.exitCode
      stdout = Buffer.concat(result.stdOut)
      stderr = Buffer.concat(result.stdErr)
      problem = error
      return undefined
    },
  }
  if (call.input !== undefined) options.input = () => call.input
  try {
    await simpleGit(options)
      .env(env)
      .outputHandler(finishPromptly)
      .raw([...call.args])
  } catch (cause) {
    throw cannotRun(call, cause)
  }
  if (isTimeout(problem)) throw silenceError(call, stderr.toString())
  const words = stderr.toString()
  if (/^Error: spawn .* ENOENT/.test(words)) throw cannotRun(call, problem)
  return { exitCode: exitCode ?? -1, stdout: stdout.toString(), stderr: words }
}

/**
 * simple-git 4.0.2 waits 50 ms after a command that printed nothing, in case output is still on its way; an empty
 * chunk tells it that output was seen. And it waits for ever when a daemon started by git keeps stderr open.
 */
function finishPromptly(
  _command: string,
  stdout: NodeJS.ReadableStream,
  stderr: NodeJS.ReadableStream,
): void {
  queueMicrotask(() => stdout.emit('data', Buffer.alloc(0)))
  stdout.once('end', () => {
    const timer = setTimeout(() => {
      if (stderr instanceof Readable) stderr.destroy()
    }, HELD_STDERR_MS)
    timer.unref()
    stderr.once('close', () => clearTimeout(timer))
  })
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'plugin' in error && error.plugin === 'timeout'
}

function silenceError(call: GitCall, stderr: string): TimeoutError {
  const seconds = Math.round((call.silenceMs ?? LOCAL_SILENCE_MS) / 1000)
  return new TimeoutError(`git ${call.args[0]} said nothing for ${seconds} s and was stopped`, {
    code: 'git-silent',
    details: { ...gitFailure(call, { exitCode: -1, stdout: '', stderr }).details, silenceSeconds: seconds },
  })
}

function cannotRun(call: GitCall, cause: unknown): ExternalError | NotFoundError {
  const words = cause instanceof Error ? cause.message : String(cause)
  if (/directory that does not exist/.test(words)) {
    return new NotFoundError(`no such folder: ${call.cwd}`, { code: 'folder-not-found', cause })
  }
  const missing = /ENOENT/.test(words)
  return new ExternalError(
    missing ? 'the program git was not found' : `git could not be run: ${words.split('\n')[0]}`,
    {
      code: missing ? 'git-not-found' : 'git-failed',
      ...(missing ? { hint: 'install git 2.36 or newer and put it on the PATH' } : {}),
      details: { argv: ['git', ...call.args], cwd: call.cwd },
      cause,
    },
  )
}

const UNGUARDED: NonNullable<SimpleGitOptions['unsafe']> = {
  allowUnsafeAlias: true,
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeEditor: true,
  allowUnsafeExec: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeHooksPath: true,
  allowUnsafeGitProxy: true,
  allowUnsafePager: true,
  allowUnsafeSshCommand: true,
  allowUnsafeTemplateDir: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeUrlRewrite: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeInclude: true,
  allowUnsafeGpgProgram: true,
  allowUnsafeFilter: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeDiffTextConv: true,
  allowUnsafeMergeDriver: true,
  allowUnsafeCommandBinaries: true,
  allowUnsafeSubmodule: true,
  allowUnsafePack: true,
  allowAbbreviatedOptions: true,
}
