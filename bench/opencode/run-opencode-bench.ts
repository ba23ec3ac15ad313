import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientOf } from '../../src/orchestrators/opencode/server-client.js'
import { serverEvents } from '../../src/orchestrators/opencode/server-events.js'
import type { ServerRecord } from '../../src/orchestrators/opencode/server-record.js'
import { isolatedOpencodeEnv, seedAgainstNpm } from '../../src/runtime-files/opencode-home.js'
import { scriptedOpencodeConfig } from '../../src/scripted-model/opencode-config.js'
import type { Turn } from '../../src/scripted-model/script.js'
import { startScriptedModel } from '../../src/scripted-model/server.js'

/**
 * Thirty agents in thirty worktrees, on servers: whether all land, how long it takes, what the servers cost in memory, beside
 * separate `opencode run` processes; and how soon `gt tail -f` shows what a server tells.
 */
export interface OpencodeBench {
  folder: string
  gt: string
  /** Of a person who starts gt. */
  env: Readonly<Record<string, string>>
  /** With opencode. */
  binDir: string
}

const AGENTS = 30
const SEPARATE = 4
const TAIL_SAMPLES = 20

const HELD = {
  tool: 'bash',
  args: { command: 'while [ ! -e "$GO_FILE" ]; do sleep 0.2; done', description: 'waits' },
}
const LANDS = {
  tool: 'bash',
  args: {
    command:
      'while [ ! -e "$GT_TOWN/go" ]; do sleep 0.2; done; echo x > "$GT_BEAD.txt"; git add -A; git commit -qm "do $GT_BEAD"; gt done',
    description: 'works',
  },
}
const TURNS: Turn[] = [
  {
    name: 'bead',
    when: { userText: /^\[gt\] Your hook holds bead b-/ },
    steps: [{ tools: [LANDS] }, { say: 'Done.' }],
  },
  { name: 'held', when: { userText: /^hold/ }, steps: [{ tools: [HELD] }, { say: 'Done.' }] },
  {
    name: 'said',
    when: { userText: /SAMPLE-\d+/ },
    steps: (request) => ({ say: `${/SAMPLE-\d+/.exec(request.userText)?.[0]}\n` }),
  },
  { name: 'rest', when: () => true, steps: [{ say: 'Yes.' }] },
]

export async function runOpencodeBench(bench: OpencodeBench): Promise<void> {
  await using model = await startScriptedModel({ turns: TURNS })
  const home = join(bench.folder, 'home')
  const configDir = join(bench.folder, 'config')
  mkdirSync(home)
  await seedAgainstNpm(configDir)
  const isolated = await isolatedOpencodeEnv({
    home,
    configDir,
    configContent: scriptedOpencodeConfig({ url: model.url }),
  })
  const env = { ...bench.env, ...isolated, PATH: `${bench.binDir}:${bench.env.PATH}` }
  const town = join(bench.folder, 'town')
  const run = (...args: string[]) =>
    execFileSync(bench.gt, args, { cwd: bench.folder, env, encoding: 'utf8' })
  const inTown = (...args: string[]) => run(...args, '--town', town)
  const repository = makeRepository(join(bench.folder, 'repository'), env)
  run('init', town)
  const toml = join(town, 'town.toml')
  writeFileSync(toml, readFileSync(toml, 'utf8').replace(/^backend = .*$/m, 'backend = "opencode"'))
  inTown('rig', 'add', 'proj', repository)
  const beads = Array.from({ length: AGENTS }, (_, i) => `b-${i}`)
  for (const id of beads) inTown('bead', 'create', '--id', id, 'a bead')
  try {
    const started = performance.now()
    inTown('sling', ...beads, 'proj')
    const slung = performance.now() - started
    const workers = () => processes().filter(({ command }) => command.includes('$GT_BEAD.txt')).length
    while (workers() < AGENTS) await sleep(200)
    const servers = serversOf(town)
    const memory = servers.map(({ pid }) => memoryOf(pid ?? 0))
    console.log(`opencode: ${AGENTS} agents, each in a tool call, in ${AGENTS} worktrees`)
    console.log(`  slung in one command            ${seconds(slung)}`)
    console.log(`  servers                         ${servers.length}`)
    console.log(
      `  memory of all servers           ${sum(memory, 'rss')} MB RSS, ${sum(memory, 'pss')} MB PSS   aim: < 1500 MB`,
    )
    await separateProcesses(bench, env)
    await tailDelays(bench, env, town)
    const released = performance.now()
    writeFileSync(join(town, 'go'), '')
    const landed = () =>
      execFileSync('git', ['rev-list', '--count', 'main'], { cwd: repository, encoding: 'utf8' }).trim()
    while (Number(landed()) < AGENTS + 1) await sleep(500)
    console.log(
      `  all ${Number(landed()) - 1} landed, one after the other  ${seconds(performance.now() - released)}`,
    )
  } finally {
    await endServers(town)
  }
}

/** What the same costs without a server; measured for a few, and multiplied. */
async function separateProcesses(bench: OpencodeBench, env: Record<string, string>): Promise<void> {
  const go = join(bench.folder, 'go-separate')
  const children: ChildProcess[] = []
  try {
    for (let i = 0; i < SEPARATE; i++) {
      const cwd = makeRepository(join(bench.folder, `separate-${i}`), env)
      const child = spawn('opencode', ['run', '--format', 'json', 'hold'], {
        cwd,
        env: { ...env, GO_FILE: go },
        stdio: ['ignore', 'ignore', 'ignore'],
      })
      children.push(child)
    }
    const held = () => processes().filter(({ command }) => command.includes('$GO_FILE')).length
    while (held() < SEPARATE) await sleep(200)
    const memory = children.map(({ pid }) => memoryOf(pid ?? 0))
    const each = sum(memory, 'rss') / SEPARATE
    const own = sum(memory, 'pss') / SEPARATE
    console.log(
      `  opencode run, one each          ${Math.round(each)} MB RSS, ${Math.round(own)} MB PSS each (${SEPARATE} measured); ` +
        `${AGENTS} would be ${Math.round(each * AGENTS)} MB RSS (extrapolated)`,
    )
  } finally {
    writeFileSync(go, '')
    await Promise.all(
      children.map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))),
    )
  }
}

/** From the event that ends a line at a client of the server to the line at the end of `gt tail -f`. */
async function tailDelays(bench: OpencodeBench, env: Record<string, string>, town: string): Promise<void> {
  const server = serverOf(town)
  const agent = 'proj/toast'
  const { sessionId } = JSON.parse(readFileSync(join(town, 'run/opencode/sessions/proj+toast.json'), 'utf8'))
  const told = new Map<string, number>()
  const shown = new Map<string, number>()
  const over = new AbortController()
  const listening = (async () => {
    for await (const event of serverEvents(server, over.signal)) {
      const sample = /SAMPLE-\d+(?=\\n)/.exec(JSON.stringify(event.properties))?.[0]
      if (sample !== undefined && event.type === 'message.part.delta' && !told.has(sample))
        told.set(sample, performance.now())
    }
  })()
  const tail = spawn(bench.gt, ['tail', '-f', agent, '--town', town], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  tail.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n'))
      if (/^SAMPLE-\d+$/.test(line) && !shown.has(line)) shown.set(line, performance.now())
  })
  // A second session beside the thirty: this one is at work in its tool.
  const client = clientOf(server)
  await client.session.abort({ sessionID: sessionId })
  await sleep(1_500)
  for (let i = 0; i < TAIL_SAMPLES; i++) {
    await client.session.promptAsync({
      sessionID: sessionId,
      agent: 'build',
      parts: [{ type: 'text', text: `SAMPLE-${i}` }],
    })
    for (let waited = 0; waited < 10_000 && !shown.has(`SAMPLE-${i}`); waited += 20) await sleep(20)
  }
  tail.kill('SIGTERM')
  over.abort()
  await listening
  const delays = [...shown]
    .flatMap(([sample, at]) => (told.has(sample) ? [at - (told.get(sample) ?? 0)] : []))
    .sort((a, b) => a - b)
  const at = (share: number) =>
    delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]?.toFixed(1)
  console.log(
    `  gt tail -f: line after its event median ${at(0.5)} ms, worst of ${delays.length} ${at(1)} ms   aim: < 100 ms`,
  )
  // The one that was interrupted goes on with its bead.
  await client.session.promptAsync({
    sessionID: sessionId,
    agent: 'build',
    parts: [{ type: 'text', text: '[gt] Your hook holds bead b-: go on.' }],
  })
}

function makeRepository(dir: string, env: Record<string, string>): string {
  mkdirSync(dir, { recursive: true })
  const git = (...args: string[]) => execFileSync('git', args, { cwd: dir, env, stdio: 'ignore' })
  git('init', '-q', '-b', 'main')
  git('commit', '-q', '--allow-empty', '-m', 'first')
  return dir
}

function serversOf(town: string): ServerRecord[] {
  const dir = join(town, 'run/opencode/servers')
  const names = readdirSync(dir).filter((each) => each.endsWith('.json'))
  return names.map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as ServerRecord)
}

function serverOf(town: string): ServerRecord {
  const [server] = serversOf(town)
  if (server === undefined) throw new Error('the town has no server')
  return server
}

async function endServers(town: string): Promise<void> {
  for (;;) {
    let server: ServerRecord
    try {
      server = serverOf(town)
    } catch {
      return
    }
    if (!processes().some(({ pid }) => pid === server.pid)) return
    await clientOf(server)
      .global.dispose()
      .catch(() => undefined)
    if (server.pid !== undefined) process.kill(server.pid, 'SIGTERM')
    await sleep(300)
  }
}

function processes(): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      return [
        { pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') },
      ]
    } catch {
      return []
    }
  })
}

interface Memory {
  rss: number
  pss: number
}

/** In MB. PSS counts what several processes share by its share. */
function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const read = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1_000
  return { rss: read('Rss'), pss: read('Pss') }
}

function sum(memory: readonly Memory[], key: keyof Memory): number {
  return Math.round(memory.reduce((total, one) => total + one[key], 0))
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
