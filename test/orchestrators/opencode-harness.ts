import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUNTIME_PRESETS } from '../../src/config/runtime-presets.js'
import type { AgentId } from '../../src/domain/ids.js'
import type { Runtime } from '../../src/domain/runtime.js'
import { readMessages } from '../../src/orchestrators/opencode/give-prompt.js'
import {
  createOpencodeOrchestrator,
  type OpencodeOrchestratorOptions,
} from '../../src/orchestrators/opencode/opencode-orchestrator.js'
import { type OpencodePlaces, opencodePlaces } from '../../src/orchestrators/opencode/places.js'
import {
  createServerRecords,
  type ServerRecord,
  type ServerRecords,
} from '../../src/orchestrators/opencode/server-record.js'
import {
  createSessionRecords,
  type SessionRecord,
  type SessionRecords,
} from '../../src/orchestrators/opencode/session-record.js'
import type { TranscriptMessage } from '../../src/orchestrators/opencode/transcript.js'
import type { Orchestrator } from '../../src/ports/orchestrator.js'
import { isolatedOpencodeEnv, seedAgainstNpm } from '../../src/runtime-files/opencode-home.js'
import { scriptedOpencodeConfig } from '../../src/scripted-model/opencode-config.js'
import type { Turn } from '../../src/scripted-model/script.js'
import { type ScriptedModel, startScriptedModel } from '../../src/scripted-model/server.js'
import { OPENCODE } from '../plugin/opencode-lab.js'
import { LONG_WORK, type OrchestratorHarness } from './contract.js'
import { eventually } from './eventually.js'
import { processesOf } from './tmux-harness.js'

/** Gives tools what the session's card says; loses one kind of message on purpose. */
const PLUGIN = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
const parents = new Map()
const cardOf = (id) => {
  for (let at = id; at; at = parents.get(at)) {
    try { return JSON.parse(readFileSync(join(process.env.GT_OPENCODE_CARDS, at + '.json'), 'utf8')) } catch {}
  }
}
export const Lab = async () => ({
  event: async ({ event }) => {
    if (event.type === 'session.created' && event.properties.info.parentID) parents.set(event.properties.info.id, event.properties.info.parentID)
  },
  'shell.env': async (input, output) => { Object.assign(output.env, cardOf(input.sessionID)?.env) },
  'chat.message': async (input, { parts }) => {
    if (parts.some((part) => part.text === 'nobody hears this')) throw new Error('the plugin loses it')
  },
})
`

/** Everything is answered; what is meant to run, runs. */
const TURNS: Turn[] = [
  {
    name: 'long',
    when: { userText: new RegExp(`^${LONG_WORK}$`) },
    steps: [{ kind: 'hang', say: 'I think' }],
  },
  {
    name: 'environment',
    when: { userText: /^show your environment$/ },
    steps: [
      { tools: [{ tool: 'bash', args: { command: 'env -0 > "$GT_TEST_DIR/env"', description: 'e' } }] },
      { say: 'Shown.' },
    ],
  },
  { name: 'anything', when: { userText: /[\s\S]*/ }, steps: [{ say: 'Yes.' }] },
]

export interface OpencodeHarness extends OrchestratorHarness {
  root: string
  places: OpencodePlaces
  model: ScriptedModel
  servers: ServerRecords
  sessions: SessionRecords
  /** Worktree of this agent. */
  folder(agent: AgentId): string
  options: OpencodeOrchestratorOptions
  /** The server that an agent's session is on, as its file says. */
  serverOf(agent: AgentId): ServerRecord
  recordOf(agent: AgentId): SessionRecord
  messages(agent: AgentId): Promise<TranscriptMessage[]>
}

export interface OpencodeHarnessChanges extends Partial<OpencodeOrchestratorOptions> {
  turns?: readonly Turn[]
  env?: Record<string, string>
}

export async function makeOpencodeHarness(changes: OpencodeHarnessChanges = {}): Promise<OpencodeHarness> {
  const { turns = [], env: moreEnv = {}, ...optionChanges } = changes
  const root = mkdtempSync(join(tmpdir(), 'gt-oc-'))
  const runDir = join(root, 'run')
  const places = opencodePlaces(root, runDir)
  const model = await startScriptedModel({ turns: [...turns, ...TURNS] })
  const configDir = join(root, 'config')
  await seedAgainstNpm(configDir)
  mkdirSync(join(configDir, 'plugins'))
  writeFileSync(join(configDir, 'plugins', 'lab.js'), PLUGIN)
  const isolated = await isolatedOpencodeEnv({
    home: join(root, 'home'),
    configDir: join(root, 'theirs'),
    configContent: scriptedOpencodeConfig({ url: model.url }),
  })
  const path = process.env.PATH ?? '/usr/bin:/bin'
  const env = { PATH: path, ...isolated, ...moreEnv }
  const options: OpencodeOrchestratorOptions = {
    townRoot: root,
    runDir,
    env,
    prepareConfig: async () => configDir,
    tmuxSocketPath: join(root, 's', 'socket'),
    ...optionChanges,
  }
  const orchestrator = createOpencodeOrchestrator(options)
  const servers = createServerRecords(places)
  const sessions = createSessionRecords(places)
  const repository = makeRepository(join(root, 'repository'))
  const folder = (agent: AgentId) => {
    const dir = join(root, 'agents', agent.replace('/', '+'))
    if (!existsSync(dir)) {
      execFileSync('git', ['worktree', 'add', '-q', '-b', agent, dir], { cwd: repository })
    }
    return dir
  }
  const runtime = (different: Partial<Runtime> = {}): Runtime => ({
    ...RUNTIME_PRESETS.opencode,
    command: [OPENCODE],
    submit: { ...RUNTIME_PRESETS.opencode.submit, maxBytes: 2_000 },
    ...different,
  })
  const recordOf = (agent: AgentId): SessionRecord => {
    const record = sessions.find(agent)
    if (record === undefined) throw new Error(`${agent} has no session`)
    return record
  }
  const serverOf = (agent: AgentId): ServerRecord => {
    const server = servers.find(recordOf(agent).server)
    if (server === undefined) throw new Error(`${agent} has no server`)
    return server
  }
  const messages = (agent: AgentId) => readMessages(serverOf(agent), recordOf(agent).sessionId ?? '', 1_000)
  const killServer = async (agent: AgentId) => {
    process.kill(serverOf(agent).pid ?? 0, 'SIGKILL')
    return {}
  }
  const request: OpencodeHarness['request'] = (agent, different = {}) => ({
    agent,
    runtime: runtime(),
    cwd: folder(agent),
    env: { ...env, GT_TOWN: root, GT_TEST_DIR: folder(agent), GT_SESSION: `s-${agent.replace('/', '-')}` },
    launch: {},
    ...different,
  })
  return {
    orchestrator,
    options,
    root,
    places,
    model,
    servers,
    sessions,
    folder,
    serverOf,
    recordOf,
    messages,
    another: (): Orchestrator => createOpencodeOrchestrator(options),
    runtime,
    request,
    async received(agent) {
      const texts = (await messages(agent)).filter(({ info }) => info.role === 'user')
      return texts.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])))
    },
    async startTurn(agent) {
      await orchestrator.send(agent, LONG_WORK)
      await eventually('the turn', async () => (await orchestrator.get(agent)).activity?.kind === 'busy')
    },
    async interrupts(agent) {
      return (await messages(agent)).filter(
        ({ info }) => info.role === 'assistant' && info.error?.name === 'MessageAbortedError',
      ).length
    },
    async environment(agent) {
      const file = join(folder(agent), 'env')
      await orchestrator.send(agent, 'show your environment')
      await eventually('the environment', () => existsSync(file))
      await eventually(
        'the end of the turn',
        async () => (await orchestrator.get(agent)).activity?.kind === 'idle',
      )
      const lines = readFileSync(file, 'utf8').split('\0').slice(0, -1)
      const all = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      )
      // What opencode adds, what is the server's own, and what the shell adds.
      const ours = ['OPENCODE_DB', 'OPENCODE_SERVER_USERNAME', 'OPENCODE_SERVER_PASSWORD']
      const theirs = ['AGENT', 'OPENCODE', 'OPENCODE_PID', 'OPENCODE_TERMINAL']
      for (const name of [...ours, ...theirs, 'PWD', 'SHLVL', '_', 'OLDPWD']) delete all[name]
      for (const name of Object.keys(all)) if (name.startsWith('GT_OPENCODE_')) delete all[name]
      return all
    },
    async conversation() {
      const earlier = 'proj/earlier' as AgentId
      await orchestrator.spawn(request(earlier))
      await orchestrator.send(earlier, 'what was said before')
      await eventually('the answer', async () => (await messages(earlier)).length === 2)
      const { sessionId = '' } = recordOf(earlier)
      await orchestrator.stop(earlier)
      return sessionId
    },
    async continues(agent, mode) {
      const [first] = await messages(agent)
      const said = first?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
      if (said !== 'what was said before') return ''
      const { sessionId = '' } = recordOf(agent)
      if (mode === 'resume') return sessionId
      // A copy is another conversation; the original is the one that says so, too.
      const all = await fetchSessions(serverOf(agent))
      return all.find((one) => one.id !== sessionId)?.id ?? ''
    },
    proves: 'accepted',
    deafen: async () => ({}),
    kill: killServer,
    crash: killServer,
    leftovers: async () => [
      ...processesOf(root),
      ...servers.list().map((server) => `record of server ${server.n}`),
      ...sessions.list().map((session) => `record of ${session.agent}`),
    ],
    async [Symbol.asyncDispose]() {
      await orchestrator.shutdown()
      await model.close()
      const left = processesOf(root)
      if (process.env.GT_TEST_KEEP === undefined)
        rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
      if (left.length > 0) throw new Error(`still running: ${left.join(', ')}`)
    },
  }
}

function makeRepository(dir: string): string {
  mkdirSync(dir)
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args], { cwd: dir })
  git('init', '-q', '-b', 'main')
  git('commit', '-q', '--allow-empty', '-m', 'first')
  return dir
}

async function fetchSessions(server: ServerRecord): Promise<{ id: string }[]> {
  const auth = Buffer.from(`${server.username}:${server.password}`).toString('base64')
  const response = await fetch(`${server.url}/experimental/session`, {
    headers: { Authorization: `Basic ${auth}` },
  })
  return (await response.json()) as { id: string }[]
}
