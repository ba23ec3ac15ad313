import { createHash } from 'node:crypto'

/**
 * All sessions of a server share its environment, and each tool gets what its session's card adds. So the environment that
 * was asked for is split: what may differ from shell to shell and matters to tools only goes on the card; all else (keys of
 * model providers, HOME, configuration) is the server's, and a session that needs another value gets another server. Thus no
 * key is ever written to a card.
 */
export interface SplitEnvironment {
  server: Record<string, string>
  card: Record<string, string>
  /** Says whether two sessions can share a server, without telling the values. */
  fingerprint: string
}

const VOLATILE = new Set([
  ...['PATH', 'SHELL', 'USER', 'LOGNAME', 'PWD', 'TZ', 'LANG', 'LANGUAGE', 'TERM', 'COLORTERM', 'TMPDIR'],
  ...['XDG_RUNTIME_DIR', 'SSH_AUTH_SOCK', 'NVM_DIR', 'VOLTA_HOME', 'PYENV_ROOT', 'RBENV_ROOT'],
  ...['GOPATH', 'GOROOT', 'CARGO_HOME', 'RUSTUP_HOME', 'JAVA_HOME'],
  // The server has its own: with the plugin, and without snapshots.
  'OPENCODE_CONFIG_DIR',
])
const VOLATILE_PREFIXES = ['GT_', 'LC_', 'GIT_']

function isVolatile(name: string): boolean {
  return VOLATILE.has(name) || VOLATILE_PREFIXES.some((prefix) => name.startsWith(prefix))
}

export function splitEnvironment(env: Readonly<Record<string, string>>): SplitEnvironment {
  const entries = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))
  const shared = entries.filter(([name]) => !isVolatile(name))
  // An identity in the server's own environment would be that of every session.
  const server = Object.fromEntries(
    entries.filter(([name]) => !name.startsWith('GT_') && isUsable(name, env)),
  )
  return {
    server,
    card: Object.fromEntries(entries.filter(([name]) => isVolatile(name))),
    fingerprint: createHash('sha256').update(JSON.stringify(shared)).digest('hex').slice(0, 16),
  }
}

/** opencode runs its tools with this shell: /bin/false, a login of some service accounts, would make every tool fail. */
function isUsable(name: string, env: Readonly<Record<string, string>>): boolean {
  return name !== 'SHELL' || /sh$/.test(env.SHELL ?? '')
}

/** Names of the server's environment that a session without them must not inherit. */
export function volatileNames(server: Readonly<Record<string, string>>): string[] {
  return Object.keys(server).filter(isVolatile)
}

/**
 * What a tool's environment is changed by. A variable cannot be taken away from a tool, so what is the server's alone is
 * emptied: its password, and what would make an opencode that an agent starts write into the server's database.
 */
export function cardEnvironment(
  card: Readonly<Record<string, string>>,
  serversVolatile: readonly string[],
): Record<string, string> {
  const blank = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, '']))
  return {
    ...blank(serversVolatile.filter((name) => card[name] === undefined)),
    ...card,
    ...blank(SERVER_ONLY),
  }
}

const SERVER_ONLY = ['OPENCODE_SERVER_PASSWORD', 'OPENCODE_DB', 'GT_OPENCODE_CARDS']
