import type { Runtime } from './runtime.js'
import { fillText } from './runtime.js'

/**
 * What an agent's program may see of the environment of whoever started it. Everything else stays out: other people's
 * tokens, the variables of an enclosing tmux or agent session, and anything that would change where our own tools look.
 */
const ALLOWED = [
  'HOME',
  'PATH',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'COLORTERM',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_CACHE_HOME',
  'XDG_STATE_HOME',
  'XDG_RUNTIME_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
  'SSH_AUTH_SOCK',
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
  'GIT_CONFIG_GLOBAL',
  'GIT_SSH_COMMAND',
  'NVM_DIR',
  'VOLTA_HOME',
  'PYENV_ROOT',
  'RBENV_ROOT',
  'GOPATH',
  'GOROOT',
  'CARGO_HOME',
  'RUSTUP_HOME',
  'JAVA_HOME',
] as const
const ALLOWED_PREFIXES = ['LC_'] as const

export interface Identity {
  town: string
  agent: string
  role: string
  rig?: string
  bead?: string
  /** Key of the session record. */
  session: string
  /** The program's own conversation that the session continues. */
  conversation?: string
  targetBranch?: string
  stalledAfterMs: number
  /** Its program may do what it asks for, where no policy says otherwise. */
  autonomous: boolean
  /** Absolute path of the gt program, and its folder for PATH. */
  gtProgram: string
  gtFolder: string
  runDir: string
  bellDir: string
}

/** The part of the caller's environment that is passed on. */
export function passedEnv(
  caller: Readonly<Record<string, string | undefined>>,
  extra: readonly string[],
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(caller)) {
    if (value === undefined) continue
    const allowed =
      (ALLOWED as readonly string[]).includes(name) ||
      ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
      extra.includes(name)
    if (allowed) env[name] = value
  }
  return env
}

/** The complete environment of a session. */
export function sessionEnv(request: {
  caller: Readonly<Record<string, string | undefined>>
  passEnv: readonly string[]
  runtime: Runtime
  identity: Identity
  /** {config_dir} and what else the runtime's files need. */
  places: Readonly<Record<string, string>>
}): Record<string, string> {
  const { identity, runtime } = request
  const env = passedEnv(request.caller, [...request.passEnv, ...runtime.passEnv])
  const placeholders = { ...request.places, town: identity.town, agent: identity.agent }
  for (const [name, template] of Object.entries(runtime.env)) {
    const value = fillText(template, placeholders)
    if (value !== undefined) env[name] = value
  }
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) env[name] = value
  }
  set('GT_TOWN', identity.town)
  set('GT_AGENT', identity.agent)
  set('GT_ROLE', identity.role)
  set('GT_RIG', identity.rig)
  set('GT_BEAD', identity.bead)
  set('GT_SESSION', identity.session)
  set('GT_CONVERSATION', identity.conversation)
  set('GT_TARGET_BRANCH', identity.targetBranch)
  set('GT_STALLED_AFTER_MS', String(identity.stalledAfterMs))
  set('GT_AUTONOMOUS', identity.autonomous ? '1' : undefined)
  set('GT_BIN', identity.gtProgram)
  set('GT_RUN_DIR', identity.runDir)
  set('GT_BELL_DIR', identity.bellDir)
  // `gt` typed by the agent must be this gt.
  env.PATH = `${identity.gtFolder}:${env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}`
  return env
}
