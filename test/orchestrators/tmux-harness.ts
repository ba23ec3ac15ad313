import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentId } from '../../src/domain/ids.js'
import type { Runtime } from '../../src/domain/runtime.js'
import {
  createTmuxOrchestrator,
  type TmuxOrchestratorOptions,
} from '../../src/orchestrators/tmux/tmux-orchestrator.js'
import type { Orchestrator } from '../../src/ports/orchestrator.js'
import type { OrchestratorHarness } from './contract.js'
import { eventually } from './eventually.js'

/** Says who and where it is, then keeps every line that it is given. */
const PROGRAM = `
trap 'echo interrupt >> "$GT_TEST_DIR/interrupts"' INT
env -0 > "$GT_TEST_DIR/env"
printf '%s\\0' "$@" > "$GT_TEST_DIR/argv"
: > "$GT_TEST_DIR/received"
while :; do
  if IFS= read -r line; then
    case $line in
      "exit "*) exit "\${line#exit }" ;;
      *) printf '%s\\n' "$line" >> "$GT_TEST_DIR/received" ;;
    esac
  elif [ $? -le 1 ] && ! [ -t 0 ]; then
    exit 0
  fi
done
`

export interface TmuxHarness extends OrchestratorHarness {
  root: string
  socketPath: string
  /** Of this agent's program: its files. */
  folder(agent: AgentId): string
  options: TmuxOrchestratorOptions
  argv(agent: AgentId): Promise<string[]>
  /** A tmux command against the server under test. */
  tmux(...args: string[]): string
}

export async function makeTmuxHarness(changes: Partial<TmuxOrchestratorOptions> = {}): Promise<TmuxHarness> {
  const root = mkdtempSync(join(tmpdir(), 'gt-'))
  const socketPath = join(root, 's', 'socket')
  const path = process.env.PATH ?? '/usr/bin:/bin'
  const options: TmuxOrchestratorOptions = { socketPath, lockDir: join(root, 'locks'), path, ...changes }
  const orchestrator = createTmuxOrchestrator(options)
  const script = join(root, 'program.sh')
  writeFileSync(script, PROGRAM)
  const folder = (agent: AgentId) => {
    const dir = join(root, 'agents', agent.replace('/', '+'))
    mkdirSync(dir, { recursive: true })
    return dir
  }
  const runtime = (different: Partial<Runtime> = {}): Runtime => ({
    name: 'test',
    command: ['sh', script],
    autonomousArgs: [],
    promptArgs: ['{prompt}'],
    modelArgs: [],
    resumeArgs: [],
    forkArgs: [],
    env: {},
    passEnv: [],
    instructionFile: 'none',
    hooks: 'none',
    ready: { kind: 'delay', delayMs: 0 },
    submit: {
      enterDelayMs: 10,
      prefix: '',
      suffix: '',
      maxBytes: 2000,
      interruptKeys: ['C-c'],
      exitCommand: '',
    },
    processNames: ['sh'],
    busyMarker: '',
    headless: [],
    ...different,
  })
  const written = (agent: AgentId, file: string) =>
    eventually(`${agent} wrote ${file}`, () => {
      const name = join(folder(agent), file)
      return existsSync(join(folder(agent), 'received')) && existsSync(name) && readFileSync(name, 'utf8')
        ? readFileSync(name, 'utf8')
        : undefined
    })
  const argv = async (agent: AgentId) => (await written(agent, 'argv')).split('\0').slice(0, -1)
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-u', '-S', socketPath, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trimEnd()

  return {
    orchestrator,
    options,
    root,
    socketPath,
    folder,
    tmux,
    another: (): Orchestrator => createTmuxOrchestrator(options),
    runtime,
    request: (agent, different = {}) => ({
      agent,
      runtime: runtime(),
      cwd: root,
      env: { PATH: path, GT_TEST_DIR: folder(agent) },
      launch: {},
      ...different,
    }),
    async received(agent) {
      await written(agent, 'argv')
      const text = readFileSync(join(folder(agent), 'received'), 'utf8')
      return text.split('\n').slice(0, -1)
    },
    async interrupts(agent) {
      const file = join(folder(agent), 'interrupts')
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0
    },
    async environment(agent) {
      const lines = (await written(agent, 'env')).split('\0').slice(0, -1)
      const all = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      )
      // What tmux adds, and what sh adds.
      for (const name of [
        'TMUX',
        'TMUX_PANE',
        'TERM',
        'TERM_PROGRAM',
        'TERM_PROGRAM_VERSION',
        'PWD',
        '_',
        'OLDPWD',
      ])
        delete all[name]
      return all
    },
    argv,
    startTurn: async () => undefined,
    conversation: async () => 'conv-1',
    async continues(agent) {
      const [flag, conversation] = (await argv(agent)).slice(-2)
      return flag === '--continue' ? (conversation ?? '') : ''
    },
    proves: 'shown',
    deafen: async () => ({ confirm: async () => false }),
    async kill(agent) {
      const { liveness } = await orchestrator.get(agent)
      if (liveness.kind !== 'running' || liveness.pid === undefined) throw new Error(`${agent} does not run`)
      process.kill(liveness.pid, 'SIGKILL')
      return { signal: 'SIGKILL' }
    },
    async crash(agent) {
      await orchestrator.send(agent, 'exit 7')
      return { exitCode: 7 }
    },
    leftovers: async () => [...processesOf(root), ...(existsSync(socketPath) ? [socketPath] : [])],
    async [Symbol.asyncDispose]() {
      await orchestrator.shutdown()
      // Zombies are the init process's business.
      const left = processesOf(root)
      rmSync(root, { recursive: true, force: true })
      if (left.length > 0) throw new Error(`still running: ${left.join(', ')}`)
    },
  }
}

/** Everything whose arguments or environment name the test's folder. */
export function processesOf(root: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return []
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
      return argv.includes(root) || environment.includes(root) ? [`${pid} ${argv}`] : []
    } catch {
      return []
    }
  })
}
