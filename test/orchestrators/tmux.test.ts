import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConflictError, ExternalError } from '../../src/domain/errors.js'
import type { AgentId } from '../../src/domain/ids.js'
import { findPane } from '../../src/orchestrators/tmux/observe-panes.js'
import { payloadOf, sendText } from '../../src/orchestrators/tmux/send-text.js'
import { createTmuxClient, type TmuxClient } from '../../src/orchestrators/tmux/tmux-client.js'
import { createTmuxOrchestrator } from '../../src/orchestrators/tmux/tmux-orchestrator.js'
import type { OrchestratorEvent } from '../../src/ports/orchestrator.js'
import { descendants, findProcess } from '../../src/system/process-table.js'
import { bundleWorker, startWorker } from './bundle-worker.js'
import { orchestratorContract } from './contract.js'
import { eventually, failure } from './eventually.js'
import { makeTmuxHarness, processesOf, type TmuxHarness } from './tmux-harness.js'
import type { WorkerTask } from './tmux-worker.js'

orchestratorContract('tmux', makeTmuxHarness)

const a = 'p/a' as AgentId
const ab = 'p/ab' as AgentId
const clock = {
  now: () => Date.now(),
  sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms)),
}

function clientOf(harness: TmuxHarness): TmuxClient {
  return createTmuxClient({ socketPath: harness.socketPath, binary: 'tmux', timeoutMs: 10_000 })
}

async function runningPid(harness: TmuxHarness, agent: AgentId): Promise<number> {
  const { liveness } = await harness.orchestrator.get(agent)
  return liveness.kind === 'running' && liveness.pid !== undefined
    ? liveness.pid
    : expect.fail(`${agent} does not run`)
}

const sh = (harness: TmuxHarness, line: string) => harness.runtime({ command: ['sh', '-c', line] })

describe('starting in tmux', () => {
  it('keeps the server free of the environment of whoever started it', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    expect(harness.tmux('show-environment', '-g')).toBe('')
    expect(readFileSync(`/proc/${harness.tmux('display-message', '-p', '#{pid}')}/environ`, 'utf8')).toBe('')
  })

  it('passes a prompt of 10 KB and a big environment whole', async () => {
    await using harness = await makeTmuxHarness()
    const line = `it's "quoted" \\ $HOME #{pid} #[x] ~ ; \t é 漢字 😀\n  # not a comment\n`
    const prompt = line.repeat(Math.ceil(10_240 / Buffer.byteLength(line)))
    const request = harness.request(a)
    const env = { ...request.env, BIG: 'v'.repeat(40_000) }
    await harness.orchestrator.spawn({ ...request, env, launch: { prompt } })
    expect(await harness.argv(a)).toEqual([prompt])
    expect((await harness.environment(a)).BIG).toHaveLength(40_000)
  })

  it('starts in a directory whose name is a tmux format, and runs a single word without a shell', async () => {
    await using harness = await makeTmuxHarness()
    const cwd = join(dirname(harness.options.lockDir), 'a #[b] #{pid} "c"')
    mkdirSync(cwd)
    const { liveness } = await harness.orchestrator.spawn(
      harness.request(a, { cwd, runtime: harness.runtime({ command: ['cat'] }) }),
    )
    if (liveness.kind !== 'running') return expect.fail('it should run')
    const comm = () => readFileSync(`/proc/${liveness.pid}/cmdline`, 'utf8') === 'cat\0'
    await eventually('cat itself is the process of the pane', comm)
    expect(execFileSync('readlink', [`/proc/${liveness.pid}/cwd`], { encoding: 'utf8' }).trimEnd()).toBe(cwd)
  })

  it('names a missing program or directory instead of starting something else', async () => {
    await using harness = await makeTmuxHarness()
    const runtime = harness.runtime({ command: ['no-such-agent'] })
    const noProgram = await failure(harness.orchestrator.spawn(harness.request(a, { runtime })))
    expect(noProgram).toBeInstanceOf(ExternalError)
    expect(noProgram).toMatchObject({
      code: 'missing-binary',
      message: expect.stringContaining('no-such-agent'),
    })
    const noDirectory = await failure(harness.orchestrator.spawn(harness.request(a, { cwd: '/no/such' })))
    expect(noDirectory).toMatchObject({ code: 'no-such-directory' })
    const noTmux = createTmuxOrchestrator({ ...harness.options, tmuxBinary: 'no-such-tmux' })
    expect(await failure(noTmux.spawn(harness.request(a)))).toMatchObject({ code: 'missing-binary' })
    expect(await harness.orchestrator.list()).toEqual([])
  })

  it('lets exactly one of three processes start an agent', async () => {
    await using harness = await makeTmuxHarness()
    const bundle = await bundleWorker('./tmux-worker.ts', dirname(harness.options.lockDir))
    const task: WorkerTask = { kind: 'spawn', request: harness.request(a) }
    const workers = [1, 2, 3].map(() =>
      startWorker(bundle, [JSON.stringify(harness.options), JSON.stringify(task)]),
    )
    const outcomes = (await Promise.all(workers.map(({ result }) => result))).map(({ stdout }) =>
      JSON.parse(stdout),
    )
    expect(outcomes.filter((outcome) => outcome.agent === a)).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome.error === 'already-running')).toHaveLength(2)
  })

  it('follows a person who attaches, and returns to its own size afterwards', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    const { argv } = await harness.orchestrator.attachCommand(a)
    const size = () =>
      harness.tmux('display-message', '-p', '-t', `=${a}:`, '#{window_width}x#{window_height}')
    expect(size()).toBe('160x48')
    // A person's own tmux is the terminal: it also shows that attaching from inside another tmux works.
    const outer = join(dirname(harness.socketPath), 'outer')
    const person = (...args: string[]) => execFileSync('tmux', ['-S', outer, '-f', '/dev/null', ...args])
    person('new-session', '-d', '-x', '100', '-y', '30', '--', ...argv)
    try {
      await eventually('the window follows', () => size() === '100x29')
    } finally {
      person('kill-server')
    }
    await eventually('the window returns', () => size() === '160x48')
  })
})

describe('watching tmux', () => {
  it('is not fooled by titles and process names', async () => {
    await using harness = await makeTmuxHarness()
    const events: OrchestratorEvent[] = []
    const over = new AbortController()
    const watching = (async () => {
      for await (const event of harness.orchestrator.events(over.signal)) events.push(event)
    })()
    const evil = `process.title='x\\n%exit\\n%begin 1 1 1\\np/forged|1'; process.stdout.write('\\x1b]2;a,b|c\\\\n#{pid}#[fg=red]}\\x07'); setInterval(()=>{},1e6)`
    await harness.orchestrator.spawn(
      harness.request(a, { runtime: harness.runtime({ command: ['node', '-e', evil] }) }),
    )
    await harness.orchestrator.spawn(harness.request(ab))
    const session = await eventually('the title', async () => {
      const found = await harness.orchestrator.get(a)
      return found.title.startsWith('a,b') && found
    })
    expect(session.title).toBe('a,b|c\\n#{pid}#[fg=red]}')
    expect(session.command).not.toContain('\n')
    expect((await harness.orchestrator.list()).map(({ agent }) => agent)).toEqual([a, ab])
    await eventually('the title in an event', () =>
      events.some((event) => event.kind === 'session-changed' && event.session.title === session.title),
    )
    expect(events.every((event) => event.kind === 'session-changed')).toBe(true)
    over.abort()
    await watching
  })

  it('keeps every exit code, although tmux loses signals of dying children', async () => {
    await using harness = await makeTmuxHarness()
    const agents = Array.from({ length: 12 }, (_, i) => `p/x${i}` as AgentId)
    await Promise.all(
      agents.map((agent, i) =>
        harness.orchestrator.spawn(harness.request(agent, { runtime: sh(harness, `sleep 0.1; exit ${i}`) })),
      ),
    )
    for (const [i, agent] of agents.entries()) {
      const liveness = await eventually(`${agent} ended`, async () => {
        const now = await harness.orchestrator.status(agent)
        return now.kind === 'stopped' && now
      })
      expect(liveness).toMatchObject({ exitCode: i })
    }
  })

  it('ends what a dead program left behind before the next one starts', async () => {
    await using harness = await makeTmuxHarness()
    const line = `(trap '' HUP; : > "$GT_TEST_DIR/ready"; exec sleep 1000) & exec sleep 1001`
    await harness.orchestrator.spawn(harness.request(a, { runtime: sh(harness, line) }))
    await eventually('its child', () => existsSync(join(harness.folder(a), 'ready')))
    await harness.kill(a)
    await eventually(
      'it counts as stopped',
      async () => (await harness.orchestrator.status(a)).kind === 'stopped',
    )
    const orphans = () => processesOf(harness.root).filter((process) => process.includes('sleep 1000'))
    expect(orphans()).toHaveLength(1)
    await harness.orchestrator.spawn(harness.request(a))
    expect(orphans()).toEqual([])
  })

  it('says unknown, not stopped, of a server that does not answer', async () => {
    await using harness = await makeTmuxHarness({ answerTimeoutMs: 300 })
    await harness.orchestrator.spawn(harness.request(a))
    const server = Number(harness.tmux('display-message', '-p', '#{pid}'))
    process.kill(server, 'SIGSTOP')
    try {
      expect(await harness.orchestrator.status(a)).toMatchObject({ kind: 'unknown' })
      expect(await failure(harness.orchestrator.list())).toMatchObject({ code: 'tmux-not-answering' })
    } finally {
      process.kill(server, 'SIGCONT')
    }
    await eventually(
      'it answers again',
      async () => (await harness.orchestrator.status(a)).kind === 'running',
    )
  })

  it('shares one hidden session among watchers, which leaves with the last', async () => {
    await using harness = await makeTmuxHarness()
    const bundle = await bundleWorker('./tmux-worker.ts', dirname(harness.options.lockDir))
    const watch = () =>
      startWorker(bundle, [JSON.stringify(harness.options), JSON.stringify({ kind: 'watch' })])
    const workers = [watch(), watch()]
    const clients = () => (existsSync(harness.socketPath) ? lines(harness, 'list-clients') : [])
    await eventually('two watchers', () => clients().length === 2)
    expect(lines(harness, 'list-sessions')).toHaveLength(1)
    expect(await harness.orchestrator.list()).toEqual([])
    await harness.orchestrator.spawn(harness.request(a))
    for (const worker of workers) process.kill(worker.pid, 'SIGKILL')
    await Promise.all(workers.map(({ result }) => result))
    // Now and then tmux keeps the client of a killed watcher; the next watcher ends it.
    await watchOnce(harness)
    await eventually('only the agent is left', () => lines(harness, 'list-sessions').join() === a)
    await harness.orchestrator.stop(a)
    await eventually(
      'the server left with its last session',
      () => lines(harness, 'list-sessions').length === 0,
    )
  })

  it('ends the control client of a dead watcher, which tmux itself may keep for ever', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    const bundle = await bundleWorker('./tmux-worker.ts', dirname(harness.options.lockDir))
    const worker = startWorker(bundle, [JSON.stringify(harness.options), JSON.stringify({ kind: 'watch' })])
    const client = await eventually('a watcher', () => {
      const [found] = descendants(worker.pid)
      return lines(harness, 'list-clients').length === 1 && found?.pid
    })
    process.kill(client, 'SIGSTOP') // so it cannot leave
    process.kill(worker.pid, 'SIGKILL')
    await worker.result
    expect(findProcess(client)).toBeDefined()
    await watchOnce(harness)
    await eventually('it is gone', () => findProcess(client) === undefined)
    await eventually('only the agent is left', () => lines(harness, 'list-sessions').join() === a)
  })

  it('reports the death of the server, takes it for no sessions, and starts anew', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    await harness.received(a)
    const events: OrchestratorEvent[] = []
    const watching = (async () => {
      for await (const event of harness.orchestrator.events(new AbortController().signal)) events.push(event)
    })()
    await eventually('the watcher sees it', () => events.length > 0)
    process.kill(Number(harness.tmux('display-message', '-p', '#{pid}')), 'SIGKILL')
    await watching
    expect(events.at(-1)).toMatchObject({ kind: 'backend-gone' })
    expect(await harness.orchestrator.status(a)).toMatchObject({ kind: 'stopped' })
    expect(await harness.orchestrator.list()).toEqual([])
    expect((await harness.orchestrator.spawn(harness.request(a))).liveness.kind).toBe('running')
  })
})

async function watchOnce(harness: TmuxHarness): Promise<void> {
  const over = new AbortController()
  for await (const _event of harness.orchestrator.events(over.signal)) over.abort()
}

/** One line per session or client; none without a server. */
function lines(harness: TmuxHarness, command: 'list-sessions' | 'list-clients'): string[] {
  const format = command === 'list-sessions' ? '#{session_name}' : '#{client_name}'
  try {
    return harness.tmux(command, '-F', format).split('\n').filter(Boolean)
  } catch {
    return []
  }
}

describe('typing into tmux', () => {
  it('keeps apart names of which one is the beginning of the other', async () => {
    await using harness = await makeTmuxHarness()
    const { orchestrator } = harness
    await orchestrator.spawn(harness.request(ab))
    expect(await failure(orchestrator.send(a, 'hello'))).toMatchObject({ code: 'session-not-found' })
    expect(await failure(orchestrator.output(a))).toMatchObject({ code: 'session-not-found' })
    expect((await orchestrator.stop(a)).kind).toBe('alreadyGone')
    await orchestrator.spawn(harness.request(a))
    await orchestrator.send(a, 'for a only')
    await orchestrator.stop(a)
    expect((await orchestrator.status(ab)).kind).toBe('running')
    expect(await harness.received(ab)).toEqual([])
  })

  it('reaches a pane in copy mode, and a window that a person split', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    await harness.received(a)
    harness.tmux('split-window', '-t', `=${a}:`, '--', 'cat', '-')
    harness.tmux('copy-mode', '-t', `=${a}:.0`)
    await harness.orchestrator.send(a, 'into copy mode')
    await eventually('the text', async () => (await harness.received(a)).join() === 'into copy mode')
    expect(await harness.orchestrator.list()).toHaveLength(1)
  })

  it('says that input is switched off', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    harness.tmux('select-pane', '-d', '-t', `=${a}:`)
    expect(await failure(harness.orchestrator.send(a, 'hello'))).toMatchObject({ code: 'input-off' })
  })

  it('strips what would be keys, and keeps tabs and lines', async () => {
    await using harness = await makeTmuxHarness()
    const submit = { ...harness.runtime().submit, prefix: '[gt] ', suffix: '.' }
    await harness.orchestrator.spawn(harness.request(a, { runtime: harness.runtime({ submit }) }))
    await harness.orchestrator.send(a, 'one\u001b[201~\u0003 two\r\n\tthree\u0000\u009b\n\n')
    await eventually('both lines', async () => (await harness.received(a)).length === 2)
    expect(await harness.received(a)).toEqual(['[gt] one[201~ two', '\tthree.'])
  })

  it('does not press Enter before the text was seen', async () => {
    await using harness = await makeTmuxHarness()
    const runtime = sh(
      harness,
      'stty -echo; : > "$GT_TEST_DIR/ready"; read -r line && echo submitted; exec cat',
    )
    await harness.orchestrator.spawn(harness.request(a, { runtime }))
    await eventually('it is silent', () => existsSync(join(harness.folder(a), 'ready')))
    const deps = { client: clientOf(harness), clock }
    const pane = (await findPane(deps, a)) ?? expect.fail('no pane')
    const { submit } = runtime
    const request = { agent: a, pane, payload: 'a secret', submit, options: {}, shownTimeoutMs: 200 }
    expect(await failure(sendText(deps, request))).toMatchObject({ code: 'not-shown' })
    expect(await harness.orchestrator.output(a)).toEqual([])
  })

  it('survives that the program dies between the look and the paste', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    await harness.orchestrator.spawn(harness.request(ab))
    await harness.received(a)
    const client = clientOf(harness)
    const pane = (await findPane({ client, clock }, a)) ?? expect.fail('no pane')
    const deadly: TmuxClient = {
      ...client,
      async run(args, stdin) {
        if (args[0] === 'load-buffer') {
          await harness.kill(a)
          await eventually(
            'it is dead',
            () => harness.tmux('display-message', '-p', '-t', pane.paneId, '#{pane_dead}') === '1',
          )
        }
        return client.run(args, stdin)
      },
    }
    const { submit } = harness.runtime()
    const request = { agent: a, pane, payload: payloadOf('into the void', submit, a), submit, options: {} }
    const error = await failure(sendText({ client: deadly, clock }, request))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'session-dead' })
    expect((await harness.orchestrator.status(ab)).kind).toBe('running')
    expect(harness.tmux('list-buffers')).toBe('')
  })

  it('notices an Enter that was lost, also without a report from the program', async () => {
    await using harness = await makeTmuxHarness()
    const program = `
      process.stdin.setRawMode(true)
      let text = '', enters = 0
      process.stdout.write('\\x1b[2J\\x1b[10;1H> ')
      process.stdin.on('data', (chunk) => {
        for (const c of String(chunk)) {
          if (c !== '\\r') { text += c; process.stdout.write(c) }
          else if (++enters === 2) process.stdout.write('\\x1b[2J\\x1b[1;1Htaken: ' + text)
        }
      })`
    const runtime = harness.runtime({ command: ['node', '-e', program] })
    await harness.orchestrator.spawn(harness.request(a, { runtime }))
    await eventually('it is ready', async () => (await harness.orchestrator.output(a)).at(-1) === '>')
    expect(await harness.orchestrator.send(a, 'knock knock')).toMatchObject({ kind: 'shown', attempts: 2 })
    await eventually(
      'it took it',
      async () => (await harness.orchestrator.output(a)).at(-1) === 'taken: knock knock',
    )
  })

  it('presses Enter again while the text stays where it was', async () => {
    await using harness = await makeTmuxHarness()
    await harness.orchestrator.spawn(harness.request(a))
    await harness.received(a)
    let asked = 0
    const receipt = await harness.orchestrator.send(a, 'seen at the second look', {
      confirm: async () => ++asked === 2,
    })
    expect(receipt).toMatchObject({ kind: 'accepted', attempts: 2 })
  })

  it('presses Enter no more once the text left the input, for something else may ask by then', async () => {
    await using harness = await makeTmuxHarness()
    const line = `: > "$GT_TEST_DIR/ready"; read -r line; printf '\\033[2J\\033[20;1H%s\\nAllow? 1. Yes 2. No' "$line"; exec cat > /dev/null`
    await harness.orchestrator.spawn(harness.request(a, { runtime: sh(harness, line) }))
    await eventually('it is ready', () => existsSync(join(harness.folder(a), 'ready')))
    let asked = 0
    const confirm = async () => {
      await eventually('the question', async () =>
        (await harness.orchestrator.output(a)).at(-1)?.startsWith('Allow?'),
      )
      return ++asked === 2
    }
    expect(await harness.orchestrator.send(a, 'do it', { confirm })).toMatchObject({
      kind: 'accepted',
      attempts: 1,
    })
  })

  it('keeps 60 texts from 4 processes whole', async () => {
    await using harness = await makeTmuxHarness()
    const runtime = sh(harness, ': > "$GT_TEST_DIR/argv"; exec cat > "$GT_TEST_DIR/received"')
    await harness.orchestrator.spawn(harness.request(a, { runtime }))
    const bundle = await bundleWorker('./tmux-worker.ts', dirname(harness.options.lockDir))
    const texts = [0, 1, 2, 3].map((worker) =>
      Array.from(
        { length: 15 },
        (_, i) => `from ${worker}, text ${i}: ${'lorem ipsum '.repeat(1 + (i % 7))}end of ${worker}.${i}`,
      ),
    )
    const workers = texts.map((mine) =>
      startWorker(bundle, [
        JSON.stringify(harness.options),
        JSON.stringify({ kind: 'send', agent: a, texts: mine }),
      ]),
    )
    const results = await Promise.all(workers.map(({ result }) => result))
    for (const { stdout, stderr } of results) expect(JSON.parse(stdout), stderr).toHaveLength(15)
    const received = () =>
      readFileSync(join(harness.folder(a), 'received'), 'utf8')
        .split('\n')
        .slice(0, -1)
    await eventually('all of them', () => received().length >= 60)
    expect(received().sort()).toEqual(texts.flat().sort())
  }, 50_000)
})

describe('stopping in tmux', () => {
  it('ends also what ignores signals, runs in a session of its own, or is frozen', async () => {
    await using harness = await makeTmuxHarness()
    const line = `trap '' TERM HUP; setsid sleep 1000 & (trap '' TERM HUP; sleep 1001) & echo $! > "$GT_TEST_DIR/child"; while :; do sleep 1; done`
    await harness.orchestrator.spawn(harness.request(a, { runtime: sh(harness, line) }))
    const child = () => Number(readFileSync(join(harness.folder(a), 'child'), 'utf8'))
    await eventually('its children', () => existsSync(join(harness.folder(a), 'child')) && child() > 0)
    process.kill(child(), 'SIGSTOP')
    const pid = await runningPid(harness, a)
    const report = await harness.orchestrator.stop(a, { graceMs: 200 })
    expect(report.kind).toBe('stopped')
    expect(report.signalled).toContainEqual({ pid, signal: 'SIGTERM' })
    expect(report.signalled).toContainEqual({ pid, signal: 'SIGKILL' })
    expect(processesOf(harness.root)).toEqual([])
  })

  it('lets a program end by itself, and returns what it says on its way out', async () => {
    await using harness = await makeTmuxHarness()
    const line = `trap 'echo bye; exit 0' TERM; echo hello; : > "$GT_TEST_DIR/ready"; while :; do sleep 0.05; done`
    await harness.orchestrator.spawn(harness.request(a, { runtime: sh(harness, line) }))
    await eventually('it is ready', () => existsSync(join(harness.folder(a), 'ready')))
    const report = await harness.orchestrator.stop(a)
    expect(report.screen).toEqual(['hello', 'bye'])
    expect(report.signalled.map(({ signal }) => signal)).not.toContain('SIGKILL')
  })

  it('ends a program that outlived its server before the next one starts', async () => {
    await using harness = await makeTmuxHarness()
    const line = `trap '' HUP; : > "$GT_TEST_DIR/ready"; while :; do sleep 0.1; done`
    await harness.orchestrator.spawn(harness.request(a, { runtime: sh(harness, line) }))
    await eventually('it is ready', () => existsSync(join(harness.folder(a), 'ready')))
    const pid = await runningPid(harness, a)
    process.kill(Number(harness.tmux('display-message', '-p', '#{pid}')), 'SIGKILL')
    const liveness = await eventually('no session', async () => {
      const now = await harness.orchestrator.status(a)
      return now.kind === 'stopped' && now
    })
    expect(liveness.why).toContain(String(pid))
    await harness.orchestrator.spawn(harness.request(a))
    expect(findProcess(pid)).toBeUndefined()
  })
})
