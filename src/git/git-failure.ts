import { ExternalError } from '../domain/errors.js'
import type { GitCall, GitResult } from './git-command.js'

const STDERR_KEPT = 2000

/**
 * Failures that go away by themselves: another git holds a lock file for a moment, or lists worktrees just while one
 * is being made. A lock on a ref that moved ("is at … but expected …") is an answer, not a failure to retry.
 */
export function isTemporary(stderr: string): boolean {
  if (/is at [0-9a-f]+ but expected|reference already exists/.test(stderr)) return false
  return (
    /Unable to create '.*\.lock': File exists/.test(stderr) ||
    /could not lock config file/.test(stderr) ||
    /failed to read .*\/worktrees\/.*\/(commondir|HEAD|gitdir)/.test(stderr)
  )
}

/** @param tries - how often it was run */
export function gitFailure(call: GitCall, result: GitResult, tries = 1): ExternalError {
  const stderr = withoutSecrets(result.stderr).trim()
  const remote = isUnreachable(stderr)
  const hint = hintFor(stderr)
  return new ExternalError(`git ${call.args[0]} failed: ${lastWords(stderr, result.exitCode)}`, {
    code: remote ? 'remote-unreachable' : 'git-failed',
    ...(hint === undefined ? {} : { hint }),
    details: {
      argv: ['git', ...call.args.map(withoutSecrets)],
      cwd: call.cwd,
      exitCode: result.exitCode,
      stderr: stderr.slice(-STDERR_KEPT),
      tries,
    },
  })
}

/** Passwords and tokens inside URLs must not reach logs or events. */
export function withoutSecrets(text: string): string {
  return text.replace(/(\w[\w+.-]*:\/\/)[^/\s@'"]+@/g, '$1***@')
}

function lastWords(stderr: string, exitCode: number): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'))
  const telling = lines.find((line) => /^(fatal|error|remote):/.test(line)) ?? lines.at(-1)
  return telling === undefined ? `exit code ${exitCode}` : telling.replace(/^(fatal|error): /, '')
}

function isUnreachable(stderr: string): boolean {
  return /Could not read from remote repository|unable to access|Could not resolve host|does not appear to be a git repository|terminal prompts disabled|Authentication failed|Connection (refused|timed out|reset)|early EOF|the remote end hung up/i.test(
    stderr,
  )
}

function hintFor(stderr: string): string | undefined {
  if (/dubious ownership/.test(stderr)) return 'git config --global --add safe.directory <that folder>'
  if (/terminal prompts disabled|Authentication failed|Permission denied \(publickey/.test(stderr)) {
    return 'make "git ls-remote <url>" work without questions: a credential helper or an ssh agent'
  }
  const lock = /Unable to create '(.*\.lock)': File exists/.exec(stderr)?.[1]
  if (lock !== undefined) return `when no git runs there, remove the left-over lock: ${lock}`
  if (isUnreachable(stderr)) return 'check the address and the network: git ls-remote <url>'
  return undefined
}
