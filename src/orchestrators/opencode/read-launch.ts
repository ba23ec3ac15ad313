import { OperationError } from '../../domain/errors.js'
import { launchArgv, type Runtime } from '../../domain/runtime.js'
import type { SpawnRequest } from '../../ports/orchestrator.js'

/** What a launch means for a session on a server. */
export interface ServerLaunch {
  /** Program of the server. */
  program: string
  prompt?: string
  /** `provider/model` */
  model?: string
  /** Name of an agent definition of opencode. */
  agentName?: string
}

/** Flags of opencode's own command line, with and without a value. The rest has no meaning for a session on a server. */
const VALUED: Readonly<Record<string, 'prompt' | 'model' | 'agent' | 'session'>> = {
  '--prompt': 'prompt',
  '-m': 'model',
  '--model': 'model',
  '--agent': 'agent',
  '-s': 'session',
  '--session': 'session',
}
/** Said in another way here: permissions are in the environment, and which conversation is the caller's word. */
const WITHOUT_MEANING = new Set(['--auto', '--fork', '-c', '--continue', '--print-logs'])

/**
 * The runtime's own command line, read: the same definition of a runtime serves both backends.
 *
 * @throws OperationError code `not-supported` for a runtime that is not OpenCode, and for a flag that a server session has not
 */
export function readLaunch(request: SpawnRequest): ServerLaunch {
  const { runtime, launch } = request
  requireOpencode(runtime)
  const [program = '', ...argv] = launchArgv({ ...runtime, promptArgs: [] }, { ...launch, mode: 'new' })
  const found: Partial<Record<'prompt' | 'model' | 'agent' | 'session', string>> = {}
  const words = [...argv]
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const equals = word.startsWith('--') ? word.indexOf('=') : -1
    const flag = equals < 0 ? word : word.slice(0, equals)
    const key = VALUED[flag]
    if (key !== undefined) found[key] = equals < 0 ? (words.shift() ?? '') : word.slice(equals + 1)
    else if (!WITHOUT_MEANING.has(flag)) throw unknownFlag(runtime, word)
  }
  const { model, agent } = found
  return {
    program,
    ...(launch.prompt === undefined ? {} : { prompt: launch.prompt }),
    ...(model === undefined ? {} : { model }),
    ...(agent === undefined ? {} : { agentName: agent }),
  }
}

export function requireOpencode(runtime: Runtime): void {
  if (runtime.hooks === 'plugin') return
  throw new OperationError(`runtime ${runtime.name} is not OpenCode: it cannot run on an OpenCode server`, {
    code: 'not-supported',
    hint: 'use --backend tmux for it',
    details: { backend: 'opencode', runtime: runtime.name },
  })
}

function unknownFlag(runtime: Runtime, word: string): OperationError {
  return new OperationError(
    `runtime ${runtime.name} is started with "${word}", which a server session does not have`,
    {
      code: 'not-supported',
      hint: 'leave it out of the runtime in town.toml, or use --backend tmux',
      details: { backend: 'opencode', runtime: runtime.name, argument: word },
    },
  )
}
