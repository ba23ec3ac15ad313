import { ExternalError } from '../../domain/errors.js'
import type { GroupResult } from '../../system/run-in-group.js'

const STDERR_KEPT = 2000

/** Passwords and tokens inside addresses must not reach screens or logs. */
export function withoutSecrets(text: string): string {
  // The name in an ssh address is no secret, and says who is not let in.
  return text.replace(/\b(?!ssh:|git\+ssh:)(\w[\w+.-]*:\/\/)[^/\s@'"]+@/g, '$1***@')
}

interface Kind {
  code: string
  says: string
  hint: string
  signs: RegExp
}

/** First fit: an auth failure over ssh also says that it could not read from the repository. */
const KINDS: readonly Kind[] = [
  {
    code: 'remote-disk-full',
    says: 'its disk is full',
    hint: 'free some space there; everything is recorded here and goes out with the next sync',
    signs: /remote: .*(No space left on device|quota exceeded)/i,
  },
  {
    code: 'disk-full',
    says: 'the disk here is full',
    hint: 'free some space and run gt sync again',
    signs: /No space left on device|quota exceeded|File too large/i,
  },
  {
    code: 'remote-auth',
    says: 'it does not let us in',
    hint: 'make "git ls-remote <address>" work without questions: a credential helper or an ssh agent',
    signs:
      /Authentication failed|Permission denied|could not read (Username|Password)|terminal prompts disabled|Host key verification failed|error: 40[13]|Access denied/i,
  },
  {
    code: 'remote-not-found',
    says: 'there is no git repository',
    hint: 'make an empty one there (git init --bare), or correct the address: gt sync --remote URL',
    signs:
      /does not appear to be a git repository|repository .*not found|No such file or directory|error: 404/i,
  },
  {
    code: 'remote-unreachable',
    says: 'it cannot be reached',
    hint: 'check the address and the network: git ls-remote <address>',
    signs:
      /Could not resolve|Connection|unable to (access|connect)|Could not read from remote|hung up|early EOF|No route|timed out|unreachable|unable to look up|bad line length|protocol error/i,
  },
]

/** What went wrong with the remote, told by what git said. */
export function remoteFailure(command: string, url: string, result: GroupResult): ExternalError {
  const stderr = withoutSecrets(result.stderr).replaceAll('\r', '').trim()
  const kind = KINDS.find(({ signs }) => signs.test(stderr))
  const where = withoutSecrets(url)
  const said = lastWords(stderr, result.exitCode)
  return new ExternalError(
    kind === undefined ? `git ${command} with ${where} failed: ${said}` : `${where}: ${kind.says} (${said})`,
    {
      code: kind?.code ?? 'remote-failed',
      ...(kind === undefined ? {} : { hint: kind.hint }),
      details: { remote: where, exitCode: result.exitCode, stderr: stderr.slice(-STDERR_KEPT) },
    },
  )
}

function lastWords(stderr: string, exitCode: number): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !/^(hint|warning):/.test(line))
  const telling = lines.find((line) => /^(fatal|error|remote|ssh):/.test(line)) ?? lines[0]
  return telling === undefined
    ? `exit code ${exitCode}`
    : telling.replace(/^(fatal|error): /, '').slice(0, 300)
}
