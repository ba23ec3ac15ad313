import { expect } from 'vitest'
import type { AgentView, TownView } from '../../src/app/town-view.js'
import type { ModelRequest, ToolCall, Turn } from '../../src/scripted-model/script.js'
import type { ScriptedModel } from '../../src/scripted-model/server.js'
import { type TestTown, testTown, until } from '../support/test-town.js'

/** A town whose agents are real OpenCode on a scripted model, with the rig `proj` by the path of a user's clone. */
export interface OpencodeTown extends AsyncDisposable {
  town: TestTown
  model: ScriptedModel
  /** The user's clone, with `main` checked out. */
  clone: string
}

export interface OpencodeTownOptions {
  turns: readonly Turn[]
  /** Of the clone's first commit. */
  files?: Record<string, string>
  gates?: readonly string[]
  toml?: string
  /** How agents' sessions are run. Default: tmux. */
  backend?: 'tmux' | 'opencode' | 'hybrid'
}

export async function opencodeTown(options: OpencodeTownOptions): Promise<OpencodeTown> {
  const town = await testTown({
    turns: options.turns,
    ...(options.toml === undefined ? {} : { toml: options.toml }),
  })
  town.setBackend(options.backend ?? 'tmux')
  const clone = await addRig(town, 'proj', options.files ?? { 'README.md': '# proj\n' }, options.gates)
  const { model } = town
  if (!model) throw new Error('a town with turns has a model')
  return {
    town,
    model,
    clone,
    async [Symbol.asyncDispose]() {
      const { unscripted } = model
      await town[Symbol.asyncDispose]()
      expect(
        unscripted.map((request) => request.lastUserText),
        'requests that no turn of the script matches',
      ).toEqual([])
    },
  }
}

export async function addRig(
  town: TestTown,
  name: string,
  files: Record<string, string>,
  gates: readonly string[] = [],
): Promise<string> {
  const clone = town.makeRepository(name, files)
  await town.ok('rig', 'add', name, clone, ...gates.flatMap((gate) => ['--gate', gate]))
  return clone
}

/** One call of the bash tool. */
export function bash(...lines: string[]): ToolCall {
  return { tool: 'bash', args: { command: lines.join('\n'), description: 'run it', timeout: 120_000 } }
}

/** Shell line that goes on when the test makes the file `name` in the town's folder. */
export function waitForFile(name: string): string {
  return `while [ ! -e "$GT_TOWN/${name}" ]; do sleep 0.05; done`
}

/** The first prompt of a bead's agent; its context must have been put before the model by then. */
export function promptOf(bead: string): Turn['when'] {
  return {
    userText: new RegExp(`^\\[gt\\] Your hook holds bead ${bead}:`),
    systemText: new RegExp(`Your bead: ${bead} `),
  }
}

export async function status(town: TestTown): Promise<TownView> {
  return town.json<TownView & Record<string, unknown>>('status')
}

export async function agentOf(town: TestTown, id: string): Promise<AgentView> {
  const agent = (await status(town)).agents.find((one) => one.id === id)
  if (!agent) throw new Error(`there is no agent ${id}`)
  return agent
}

/** Waits until an agent is in a state; on a time-out says what it shows instead. */
export async function untilState(town: TestTown, id: string, state: AgentView['state']): Promise<AgentView> {
  try {
    return await until(`${id} to be ${state}`, async () => {
      const agent = await agentOf(town, id)
      if (agent.state === state) return agent
      throw new Error(`${agent.state} ${agent.detail}`)
    })
  } catch (error) {
    const screen = await town.gt('peek', id)
    throw new Error(`${String(error)}\n${screen.stdout}${screen.stderr}`)
  }
}

interface BeadFacts {
  status: string
  assignee: string | null
  generation: number
  merged_as: string | null
}

export async function beadOf(town: TestTown, id: string): Promise<BeadFacts> {
  return (await town.json<{ bead: BeadFacts }>('bead', 'show', id)).bead
}

/** Until the bead is merged and what its agent had is cleared away. */
export async function untilLanded(town: TestTown, bead: string): Promise<BeadFacts> {
  return until(`${bead} to land`, async () => {
    const facts = await beadOf(town, bead)
    const { agents, queue, problems } = await status(town)
    const agent = agents.find((one) => one.id === facts.assignee)
    if (facts.status === 'closed' && agent?.worktree === undefined) return facts
    throw new Error(JSON.stringify({ facts, agent, queue, problems }))
  })
}

export interface GtEvent {
  type: string
  at: string
  by: string
  data: Record<string, unknown>
}

export async function eventsOf(town: TestTown, agent: string, ...types: string[]): Promise<GtEvent[]> {
  const { events } = await town.json<{ events: GtEvent[] }>(
    'events',
    '--limit',
    '1000',
    ...types.flatMap((type) => ['--type', type]),
  )
  return events.filter((event) => (event.data.agent ?? event.by) === agent)
}

/** The newest request of a turn: it holds the whole conversation so far. */
export function lastRequest(model: ScriptedModel, turn: string): ModelRequest {
  const request = model.requests.findLast((one) => one.turn === turn)
  if (!request) throw new Error(`the model was never asked for the turn "${turn}"`)
  return request
}

export function lastOfSession(model: ScriptedModel, sessionId: string): ModelRequest {
  const request = model.requests.findLast((one) => one.sessionId === sessionId)
  if (!request) throw new Error(`the model was never asked by ${sessionId}`)
  return request
}

/** How many messages put this text before the model of a conversation, as the user's words. */
export function timesShown(model: ScriptedModel, sessionId: string, text: string): number {
  const { messages } = lastOfSession(model, sessionId)
  return messages
    .filter((message) => message.role === 'user')
    .reduce((sum, message) => sum + message.text.split(text).length - 1, 0)
}

/** Sorted names of all files that any commit of any ref touches. */
export function filesInHistory(town: TestTown, clone: string): string[] {
  const names = town.git(clone, 'log', '--all', '--name-only', '--format=').split('\n')
  return [...new Set(names.filter((name) => name !== ''))].sort()
}

export function subjects(town: TestTown, clone: string, branch = 'main'): string[] {
  return town.git(clone, 'log', '--format=%s', branch).split('\n')
}

/** Pids of live processes whose command line holds `text`. */
export function pidsRunning(town: TestTown, text: string): number[] {
  return town
    .processes()
    .filter((one) => one.command.includes(text))
    .map((one) => one.pid)
}

/** Shells of bash tools that wait for a file (`waitForFile`); one of them may be seen twice while it forks. */
export function toolsWaitingFor(town: TestTown, name: string): number[] {
  return pidsRunning(town, `$GT_TOWN/${name}`)
}
