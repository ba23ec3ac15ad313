import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RUNTIME_PRESETS } from '../../src/config/runtime-presets.js'
import { type LaunchValues, launchArgv } from '../../src/domain/runtime.js'
import { isolatedOpencodeEnv, prepareOpencodeConfigDir } from '../../src/runtime-files/opencode-home.js'
import { scriptedOpencodeConfig } from '../../src/scripted-model/opencode-config.js'
import type { Turn } from '../../src/scripted-model/script.js'
import { type ScriptedModel, startScriptedModel } from '../../src/scripted-model/server.js'
import { type FakeGt, makeFakeGt } from './fake-gt.js'

const run = promisify(execFile)
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
export const OPENCODE = join(REPOSITORY, 'node_modules', '.bin', 'opencode')
export const PLUGIN = join(REPOSITORY, 'dist', 'plugin', 'gastown.js')

/** The real opencode with our plugin, in a throw-away home, with a scripted model and a fake gt. */
export interface OpencodeLab extends AsyncDisposable {
  root: string
  worktree: string
  model: ScriptedModel
  gt: FakeGt
  env: Readonly<Record<string, string>>
  git(...args: string[]): Promise<string>
  /** Starts the TUI in a tmux pane, as the preset says. */
  startTui(launch: LaunchValues, env?: Readonly<Record<string, string>>): Promise<void>
  /** Leaves it, and waits until it is gone. */
  leaveTui(): Promise<void>
  tmux(...args: string[]): Promise<string>
  screen(): Promise<string>
  /** Types a line and sends it. */
  type(text: string): Promise<void>
  /** Waits for a signal; the error shows what was on the screen. */
  until<T>(
    what: string,
    probe: () => Promise<T | undefined | false> | T | undefined | false,
    deadlineMs?: number,
  ): Promise<T>
}

export async function openOpencodeLab(turns: readonly Turn[]): Promise<OpencodeLab> {
  const root = await mkdtemp('/tmp/gtp-') // Short: the length of a socket's path is limited.
  const worktree = join(root, 'wt')
  await mkdir(worktree)
  const git = async (...args: string[]): Promise<string> => {
    const identity = ['-c', 'user.name=Toast', '-c', 'user.email=toast@example.test']
    return (await run('git', [...identity, ...args], { cwd: worktree })).stdout
  }
  await git('init', '-q', '-b', 'gt/toast/proj-1')
  await git('commit', '-q', '--allow-empty', '-m', 'start')
  const gt = await makeFakeGt(join(root, 'gt'))
  const model = await startScriptedModel({ turns })
  const configDir = join(root, 'cfg')
  await prepareOpencodeConfigDir({ dir: configDir, pluginSource: await readFile(PLUGIN, 'utf8') })
  const isolated = await isolatedOpencodeEnv({
    home: join(root, 'home'),
    configDir,
    configContent: scriptedOpencodeConfig({ url: model.url }),
  })
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    TERM: 'tmux-256color',
    LANG: 'C.UTF-8',
    ...isolated,
    OPENCODE_PERMISSION: RUNTIME_PRESETS.opencode.env.OPENCODE_PERMISSION ?? '',
    GT_TOWN: root,
    GT_AGENT: 'proj/toast',
    GT_ROLE: 'polecat',
    GT_TARGET_BRANCH: 'main',
    GT_BIN: gt.bin,
    GT_RUN_DIR: gt.runDir,
    GT_BELL_DIR: gt.bellDir,
  }
  const socket = join(root, 'tmux')
  const tmux = async (...args: string[]): Promise<string> =>
    (await run('tmux', ['-S', socket, '-f', '/dev/null', ...args], { env })).stdout
  const screen = async (): Promise<string> =>
    await tmux('capture-pane', '-p', '-t', 'lab').catch((error: unknown) => `(no screen: ${String(error)})`)
  const until: OpencodeLab['until'] = async (what, probe, deadlineMs = 60_000) => {
    const deadline = Date.now() + deadlineMs
    while (Date.now() < deadline) {
      const seen = await probe()
      if (seen !== undefined && seen !== false) return seen
      await sleep(25)
    }
    const said = model.unscripted.map((request) => request.lastUserText).join('\n')
    throw new Error(`waited ${deadlineMs} ms for: ${what}\nunscripted: ${said}\nscreen:\n${await screen()}`)
  }
  const type = async (text: string): Promise<void> => {
    await tmux('send-keys', '-t', 'lab', '-l', '--', text)
    await until(`"${text}" in the input`, async () => (await screen()).includes(text.trim().slice(0, 60)))
    await tmux('send-keys', '-t', 'lab', 'Enter')
  }
  return {
    root,
    worktree,
    model,
    gt,
    env,
    git,
    tmux,
    screen,
    until,
    startTui: async (launch, more = {}) => {
      const [, ...args] = launchArgv(RUNTIME_PRESETS.opencode, launch)
      const variables = Object.entries(more).flatMap(([name, value]) => ['-e', `${name}=${value}`])
      const size = ['-x', '110', '-y', '40']
      await tmux('new-session', '-d', '-s', 'lab', ...size, '-c', worktree, ...variables, OPENCODE, ...args)
    },
    leaveTui: async () => {
      await type('/exit')
      await until('the end of the TUI', async () => (await screen()).startsWith('(no screen'))
    },
    type,
    [Symbol.asyncDispose]: async () => {
      const panes = await tmux('list-panes', '-a', '-F', '#{pane_pid}').catch(() => '')
      await tmux('kill-server').catch(() => {}) // None was started.
      await model.close()
      for (const pid of panes.split('\n').filter((line) => line !== '')) await endOf(Number(pid))
      await rm(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Waits for a process that was told to end, and makes it. */
async function endOf(pid: number): Promise<void> {
  for (let waited = 0; waited < 5_000; waited += 50) {
    if (!(await isRunning(pid))) return
    await sleep(50)
  }
  process.kill(pid, 'SIGKILL')
}

async function isRunning(pid: number): Promise<boolean> {
  // In a container without an init process the dead stay behind as zombies.
  const { stdout } = await run('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z')
}
