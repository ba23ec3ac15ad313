import { execFile } from 'node:child_process'
import { ExternalError } from '../domain/errors.js'
import { errorCode } from './segment-bytes.js'
import { removeStaleLock } from './stale-git-lock.js'

export type Env = Readonly<Record<string, string | undefined>>

export interface GitRun {
  /** The repository (`GIT_DIR`). */
  repository: string
  args: readonly string[]
  env: Env
  input?: Buffer
  /** GIT_AUTHOR_DATE and GIT_COMMITTER_DATE, when git should not take its own. */
  dates?: Readonly<Record<string, string>>
}

export interface GitResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** History is small text; the largest answer is one listing of the log. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

export function branchOf(clone: string): string {
  return `refs/heads/beads/${clone}`
}

/**
 * Runs git so that nothing of the user's set-up reaches it: no configuration, no hooks, no GIT_* variables.
 * @throws ExternalError code `git-missing` when it cannot be started
 */
export async function runGit(run: GitRun): Promise<GitResult> {
  const result = await runOnce(run)
  const isLocked = result.exitCode !== 0 && removeStaleLock(run.repository, result.stderr)
  return isLocked ? runOnce(run) : result
}

function runOnce(run: GitRun): Promise<GitResult> {
  const { args, env, input, dates } = run
  const options = {
    env: { ...gitEnv(env), ...dates },
    encoding: 'utf8' as const,
    maxBuffer: MAX_OUTPUT_BYTES,
  }
  return new Promise((resolve, reject) => {
    const child = execFile('git', gitArguments(run), options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(notStarted(args, error))
      else resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
    // It may end before it read everything; its exit code tells.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

export function gitArguments({ repository, args }: GitRun): string[] {
  return ['-c', 'core.hooksPath=/dev/null', '-c', 'gc.auto=0', `--git-dir=${repository}`, ...args]
}

export function notStarted(args: readonly string[], error: Error): ExternalError {
  return new ExternalError(`git ${args[0] ?? ''} could not be run: ${error.message}`, {
    code: errorCode(error) === 'ENOENT' ? 'git-missing' : 'git-failed',
    details: { args: [...args] },
    cause: error,
  })
}

export function gitEnv(env: Env): Record<string, string> {
  const identity = { NAME: 'gt', EMAIL: 'gt@localhost' }
  return {
    ...(env.PATH === undefined ? {} : { PATH: env.PATH }),
    ...(env.TMPDIR === undefined ? {} : { TMPDIR: env.TMPDIR }),
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: identity.NAME,
    GIT_AUTHOR_EMAIL: identity.EMAIL,
    GIT_COMMITTER_NAME: identity.NAME,
    GIT_COMMITTER_EMAIL: identity.EMAIL,
  }
}

/** @throws ExternalError code `git-failed`, with the end of what git said */
export async function git(run: GitRun): Promise<string> {
  const result = await runGit(run)
  if (result.exitCode === 0) return result.stdout
  throw new ExternalError(
    `git ${run.args[0] ?? ''} failed in ${run.repository}: ${result.stderr.trim().slice(-300)}`,
    {
      code: 'git-failed',
      details: { args: [...run.args], exitCode: result.exitCode, stderr: result.stderr.slice(-2000) },
    },
  )
}

/** An empty bare repository whose HEAD is `branch`. No templates: they could bring hooks. Safe to repeat. */
export async function initRepository(repository: string, branch: string, env: Env): Promise<void> {
  await git({ repository, args: ['init', '--quiet', '--bare', '--template='], env })
  await git({ repository, args: ['symbolic-ref', 'HEAD', branch], env })
}
