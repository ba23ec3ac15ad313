/** What of the caller's `GIT_*` reaches git: who the user is and how to reach the network. Never which repository. */
const KEPT =
  /^GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|(AUTHOR|COMMITTER)_(NAME|EMAIL)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|SSL_\w+|HTTP_\w+|PROXY_\w+|CURL_\w+|EXEC_PATH|ALLOW_PROTOCOL|LFS_\w+|DISCOVERY_ACROSS_FILESYSTEM)$/

/** Programs that would wait for a person, and the locale that would translate the words we read. */
const DROPPED = new Set(['EDITOR', 'VISUAL', 'PAGER', 'PREFIX', 'LANGUAGE'])

/**
 * The environment of every git that gt starts: the user's identity, credentials and network settings, but no
 * repository, index, editor or pager inherited from whatever started gt (a git hook, for one, exports GIT_DIR).
 */
export function gitEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [key, value] of Object.entries(env)) {
    if (value === undefined || DROPPED.has(key)) continue
    if (key.startsWith('GIT_') && !KEPT.test(key)) continue
    kept[key] = value
  }
  return {
    ...kept,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_EDITOR: 'true',
    GIT_SEQUENCE_EDITOR: 'true',
    GIT_MERGE_AUTOEDIT: 'no',
    // `git status` would otherwise take the index lock to refresh it, in the way of the user or the agent.
    GIT_OPTIONAL_LOCKS: '0',
    GIT_ADVICE: '0',
  }
}

/**
 * Settings of the user that would run programs of theirs, start background work or change the output we read.
 * Given on the command line, so they also hold for the git processes that git starts, and nothing is written.
 */
export const FIXED_CONFIG: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'color.ui=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'i18n.logOutputEncoding=utf-8',
  'i18n.commitEncoding=utf-8',
  'advice.detachedHead=false',
  'advice.addEmbeddedRepo=false',
]

/** Flush what is written, so that an acknowledged salvage or landing survives a power cut (git 2.36 or newer). */
export const DURABLE: readonly string[] = ['core.fsync=committed,reference', 'core.fsyncMethod=batch']
