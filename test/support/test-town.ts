import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { tmuxSocketPath } from '../../src/orchestrators/tmux/socket-path.js'
import { isolatedOpencodeEnv } from '../../src/runtime-files/opencode-home.js'
import { scriptedOpencodeConfig } from '../../src/scripted-model/opencode-config.js'
import type { Turn } from '../../src/scripted-model/script.js'
import { type ScriptedModel, startScriptedModel } from '../../src/scripted-model/server.js'
import { PACKAGE_DIR, type Ran, run, runGt } from './run-gt.js'

export interface TestTownOptions {
  /** Starts the scripted model, and gives agents an isolated real OpenCode on it. */
  turns?: readonly Turn[]
  /** Appended to town.toml. */
  toml?: string
  /** Without a town: only HOME and the environment. */
  bare?: boolean
}

/**
 * A throw-away HOME with a town, and a way to run gt in it. Everything is gone when it is disposed; a process of the town
 * that outlives it fails the test.
 */
export class TestTown {
  model?: ScriptedModel

  constructor(
    /** Short, because socket paths are limited. */
    readonly dir: string,
    readonly env: Record<string, string>,
  ) {}

  get root(): string {
    return join(this.dir, 'town')
  }

  /** Runs `gt …` in the town's folder. */
  gt(...args: string[]): Promise<Ran> {
    return this.gtIn(this.root, {}, ...args)
  }

  gtIn(
    cwd: string,
    more: { env?: Record<string, string>; input?: string; timeoutMs?: number },
    ...args: string[]
  ): Promise<Ran> {
    return runGt(args, {
      cwd,
      env: { ...this.env, ...more.env },
      ...(more.input === undefined ? {} : { input: more.input }),
      ...(more.timeoutMs === undefined ? {} : { timeoutMs: more.timeoutMs }),
    })
  }

  /** `gt … --json`; fails the test on any other exit code than 0. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const ran = await this.gt(...args, '--json')
    expect(ran, `gt ${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`).toMatchObject({ exitCode: 0 })
    return JSON.parse(ran.stdout) as T
  }

  /** Must succeed. */
  async ok(...args: string[]): Promise<string> {
    const ran = await this.gt(...args)
    expect(ran.exitCode, `gt ${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`).toBe(0)
    return ran.stdout
  }

  /** A repository with one commit of `files`. */
  makeRepository(name: string, files: Record<string, string>): string {
    const dir = join(this.dir, name)
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, file)), { recursive: true })
      writeFileSync(join(dir, file), text)
    }
    this.git(dir, 'init', '--quiet', '--initial-branch=main')
    this.git(dir, 'add', '-A')
    this.git(dir, 'commit', '--quiet', '--allow-empty', '-m', 'first')
    return dir
  }

  git(cwd: string, ...args: string[]): string {
    mkdirSync(cwd, { recursive: true })
    return execFileSync('git', args, {
      cwd,
      env: this.env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  }

  /** An executable shell script on the town's PATH. */
  program(name: string, body: string): string {
    const path = join(this.dir, 'bin', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `#!/bin/sh\n${body}\n`)
    chmodSync(path, 0o755)
    return path
  }

  /** A program of this machine, alone in the town's own bin folder. */
  link(name: string): void {
    const found = execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    mkdirSync(join(this.dir, 'bin'), { recursive: true })
    symlinkSync(found, join(this.dir, 'bin', name))
  }

  tmux(...args: string[]): Promise<Ran> {
    return run('tmux', ['-S', this.socket, ...args], { cwd: this.dir, env: this.env })
  }

  get socket(): string {
    return tmuxSocketPath(this.root)
  }

  writeHome(name: string, text: string): void {
    writeFileSync(join(this.env.HOME ?? this.dir, name), text)
  }

  writeTown(name: string, text: string): void {
    writeFileSync(join(this.root, name), text)
  }

  replaceInToml(before: string | RegExp, after: string): void {
    const file = join(this.root, 'town.toml')
    writeFileSync(file, readFileSync(file, 'utf8').replace(before, after))
  }

  setBackend(backend: 'tmux' | 'opencode' | 'hybrid'): void {
    this.replaceInToml(/^backend = .*$/m, `backend = "${backend}"`)
  }

  appendToml(text: string): void {
    const file = join(this.root, 'town.toml')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n${text}\n`)
  }

  /** Pids of live processes whose environment or working folder is of this town. */
  processes(): { pid: number; command: string }[] {
    const found: { pid: number; command: string }[] = []
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid) || pid === process.pid) continue
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8')
        const cwd = readlinkSync(`/proc/${name}/cwd`)
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        if (
          (environment.includes(this.dir) || cwd.startsWith(this.dir) || command.includes(this.dir)) &&
          command !== ''
        )
          found.push({ pid, command })
      } catch {
        // gone meanwhile, or not ours to read
      }
    }
    return found
  }

  /** OpenCode servers of agents that the test left at work; their tools end with a dispose only. */
  private async endServers(): Promise<void> {
    const dir = join(this.root, 'run/opencode/servers')
    for (const name of existsSync(dir) ? readdirSync(dir).filter((each) => each.endsWith('.json')) : []) {
      const { url, username, password, pid, external } = JSON.parse(readFileSync(join(dir, name), 'utf8'))
      if (external === true || pid === undefined) continue
      const Authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
      const signal = AbortSignal.timeout(5_000)
      await fetch(`${url}/global/dispose`, { method: 'POST', headers: { Authorization }, signal }).catch(
        () => {},
      )
      try {
        process.kill(pid, 'SIGTERM')
      } catch {
        // gone already
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const cleanUp = [...this.processes()]
    await this.tmux('kill-server').catch(() => undefined)
    await this.endServers()
    await this.model?.close()
    // What hangs on the terminal of a killed server needs a moment to notice.
    for (let i = 0; i < 100 && this.processes().length > 0; i++) await sleep(50)
    const left = this.processes()
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // gone meanwhile
      }
    }
    if (process.env.GT_TEST_KEEP === undefined)
      rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    expect(left, `processes outlived the town (before the end there were ${cleanUp.length})`).toEqual([])
  }
}

export async function testTown(options: TestTownOptions = {}): Promise<TestTown> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'gt-t-')))
  const home = join(dir, 'home')
  mkdirSync(home)
  const env: Record<string, string> = {
    HOME: home,
    PATH: `${join(dir, 'bin')}:${join(PACKAGE_DIR, 'node_modules/.bin')}:${process.env.PATH ?? ''}`,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    USER: 'tester',
    GIT_AUTHOR_NAME: 'A Tester',
    GIT_AUTHOR_EMAIL: 'tester@localhost',
    GIT_COMMITTER_NAME: 'A Tester',
    GIT_COMMITTER_EMAIL: 'tester@localhost',
    ...(process.env.GT_NODE === undefined ? {} : { GT_NODE: process.env.GT_NODE }),
  }
  const town = new TestTown(dir, env)
  if (options.turns) {
    town.model = await startScriptedModel({ turns: options.turns })
    Object.assign(
      env,
      await isolatedOpencodeEnv({
        home,
        configDir: join(town.root, 'run', 'opencode'),
        configContent: scriptedOpencodeConfig({ url: town.model.url }),
      }),
    )
  }
  if (!options.bare) {
    const made = await runGt(['init', town.root], { cwd: dir, env })
    expect(made.exitCode, made.stderr).toBe(0)
    if (options.toml !== undefined) town.appendToml(options.toml)
  }
  return town
}

/** Waits for a fact, with a deadline that is only for hangs; says what was seen last. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const value = await look()
      if (value !== undefined && value !== false && value !== null) return value
      last = value
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${String(last)}`)
    await sleep(50)
  }
}

export function fileExists(path: string): boolean {
  return existsSync(path)
}
