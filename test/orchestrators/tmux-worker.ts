// A process of its own that uses the tmux backend. argv: options and task as JSON; standard output: the outcome as JSON.
import type { AgentId } from '../../src/domain/ids.js'
import {
  createTmuxOrchestrator,
  type TmuxOrchestratorOptions,
} from '../../src/orchestrators/tmux/tmux-orchestrator.js'
import type { SpawnRequest } from '../../src/ports/orchestrator.js'

export type WorkerTask =
  | { kind: 'spawn'; request: SpawnRequest }
  | { kind: 'send'; agent: AgentId; texts: string[] }
  | { kind: 'watch' }

const [options = '', task = ''] = process.argv.slice(2)
const orchestrator = createTmuxOrchestrator(JSON.parse(options) as TmuxOrchestratorOptions)
const outcome = await perform(JSON.parse(task) as WorkerTask).catch(
  (error: { code?: string; message: string }) => ({
    error: error.code ?? error.message,
  }),
)
process.stdout.write(`${JSON.stringify(outcome)}\n`)

async function perform(task: WorkerTask): Promise<unknown> {
  if (task.kind === 'spawn') return orchestrator.spawn(task.request)
  if (task.kind === 'send') return Promise.all(task.texts.map((text) => orchestrator.send(task.agent, text)))
  for await (const event of orchestrator.events(new AbortController().signal)) {
    process.stdout.write(`${JSON.stringify(event)}\n`)
  }
  return { over: true }
}
