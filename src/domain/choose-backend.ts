import type { BackendName } from './config.js'
import type { Runtime } from './runtime.js'

/** A backend that runs sessions itself. */
export const SESSION_BACKENDS = ['tmux', 'opencode'] as const
export type SessionBackend = (typeof SESSION_BACKENDS)[number]

/** Another backend than the wanted one took a session. */
export interface Fallback {
  wanted: BackendName
  used: BackendName
  why: string
}

/**
 * Which backend an agent's session goes to. What is nearest to the agent decides: the command line, its role, its rig, its
 * town; `hybrid` leaves it to the runtime.
 */
export function chooseBackend(said: {
  wanted?: BackendName | undefined
  role?: SessionBackend | undefined
  rig?: SessionBackend | undefined
  town: BackendName
  runtime: Runtime
}): SessionBackend {
  const chosen = said.wanted ?? said.role ?? said.rig ?? said.town
  return chosen === 'hybrid' ? backendOfRuntime(said.runtime) : chosen
}

/** OpenCode, the program with a plugin, is what an OpenCode server can run; a terminal runs everything. */
export function backendOfRuntime(runtime: Runtime): SessionBackend {
  return runtime.hooks === 'plugin' ? 'opencode' : 'tmux'
}
