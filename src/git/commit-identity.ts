import type { Sha } from '../ports/repositories.js'
import { tryRun } from '../system/run.js'
import type { GitContext } from './repository.js'

interface Place {
  cwd: string
  env: Record<string, string>
}

/** How the commits that gt makes anew are signed and attributed. */
export interface CommitIdentity {
  config: string[]
  env: Record<string, string>
}

/** Far more than a signature takes; a person who is asked takes longer. */
const PROBE_MS = 10_000

/**
 * The committer is who git is configured for; the author of `head` when nobody is. Commits are signed when the user
 * wants that and it can be done without asking a person: a pinentry window would hang the merge queue.
 */
export async function commitIdentity(context: GitContext, place: Place, head: Sha): Promise<CommitIdentity> {
  const config = await readConfig(context, place)
  const isKnown =
    (config.has('user.name') || config.has('committer.name') || 'GIT_COMMITTER_NAME' in context.env) &&
    (config.has('user.email') || config.has('committer.email') || 'GIT_COMMITTER_EMAIL' in context.env)
  const env = isKnown ? {} : await identityOf(context, place, head)
  if (!isTrue(config.get('commit.gpgsign'))) return { config: [], env }
  const silently = await signsSilently(context, place, { config, env })
  return { config: silently ? [] : ['commit.gpgSign=false'], env }
}

async function identityOf(context: GitContext, place: Place, head: Sha): Promise<Record<string, string>> {
  const out = await context.git.run({ ...place, args: ['show', '--no-patch', '--format=%an%x00%ae', head] })
  const [name = '', email = ''] = out.trimEnd().split('\0')
  return {
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
  }
}

async function readConfig(context: GitContext, place: Place): Promise<Map<string, string>> {
  const out = await context.git.attempt({
    ...place,
    args: ['config', '-z', '--get-regexp', '^(user|committer|gpg|commit)\\.'],
  })
  const entries = out.stdout.split('\0').filter((entry) => entry !== '')
  return new Map(
    entries.map((entry) => {
      const newline = entry.indexOf('\n')
      return newline < 0 ? [entry, 'true'] : [entry.slice(0, newline), entry.slice(newline + 1)]
    }),
  )
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(true|yes|on|[1-9]\d*)$/i.test(value)
}

async function signsSilently(
  context: GitContext,
  place: Place,
  known: { config: Map<string, string>; env: Record<string, string> },
): Promise<boolean> {
  const format = known.config.get('gpg.format') ?? 'openpgp'
  if (format === 'openpgp') return gpgSigns(context, place, known.config)
  if (format !== 'ssh') return false
  // Asked for a passphrase, ssh-keygen runs this askpass, which says no at once.
  const env = { ...place.env, ...known.env, SSH_ASKPASS: '/bin/false', SSH_ASKPASS_REQUIRE: 'force' }
  const call = {
    cwd: place.cwd,
    env,
    silenceMs: PROBE_MS,
    args: ['commit-tree', '-S', '-m', 'probe', 'HEAD^{tree}'],
  }
  return context.git.attempt(call).then(
    (result) => result.exitCode === 0,
    () => false,
  )
}

/** gpg is asked directly, because only it knows the option not to ask for a passphrase. */
async function gpgSigns(context: GitContext, place: Place, config: Map<string, string>): Promise<boolean> {
  const program = config.get('gpg.openpgp.program') ?? config.get('gpg.program') ?? 'gpg'
  const key = config.get('user.signingkey') ?? config.get('committer.email') ?? config.get('user.email')
  if (key === undefined) return false
  const argv = [program, '--batch', '--pinentry-mode', 'error', '--status-fd', '2', '-bsau', key]
  return tryRun(argv, { cwd: place.cwd, env: context.env, stdin: 'probe', timeoutMs: PROBE_MS }).then(
    (result) => result.exitCode === 0 && /\[GNUPG:\] SIG_CREATED /.test(result.stderr),
    () => false,
  )
}
