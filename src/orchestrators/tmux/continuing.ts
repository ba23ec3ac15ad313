import { OperationError, UsageError } from '../../domain/errors.js'
import { canFork, canResume } from '../../domain/runtime.js'
import type { SpawnRequest } from '../../ports/orchestrator.js'

/**
 * The start of a session that goes on with another's conversation.
 *
 * @throws OperationError `not-supported`, naming the runtime; UsageError `missing-session`
 */
export function continuing(request: SpawnRequest, mode: 'resume' | 'fork'): SpawnRequest {
  const { runtime, launch } = request
  const args = mode === 'resume' ? runtime.resumeArgs : runtime.forkArgs
  if (!(mode === 'resume' ? canResume(runtime) : canFork(runtime))) {
    throw new OperationError(`runtime ${runtime.name} cannot ${mode} a conversation`, {
      code: 'not-supported',
      hint: `start ${request.agent} anew, or add ${mode}_args to the runtime in town.toml`,
      details: { backend: 'tmux', runtime: runtime.name, ability: mode },
    })
  }
  if (launch.session === undefined && args.some((argument) => argument.includes('{session}'))) {
    throw new UsageError(`which conversation should ${request.agent} ${mode}?`, {
      code: 'missing-session',
      details: { agent: request.agent, runtime: runtime.name },
    })
  }
  return { ...request, launch: { ...launch, mode } }
}
