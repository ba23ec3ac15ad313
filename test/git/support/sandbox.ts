import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RigName } from '../../../src/domain/ids.js'
import type { Rig } from '../../../src/domain/rig.js'
import { createRepositories } from '../../../src/git/create-repositories.js'
import type { Repositories } from '../../../src/ports/repositories.js'

export type UserConfig = 'plain' | 'hostile'

/** A user with a home, a town and git repositories, all in one temporary folder. */
export interface Sandbox {
  root: string
  env: Record<string, string>
  townRoot: string
  lockDir: string
  repositories: Repositories
  /** Runs git as the user would, with the user's settings but without their hooks and signing. @returns stdout without the last newlines */
  git(cwd: string, ...args: string[]): string
  write(path: string, content: string | Buffer): void
  /** A clone with one commit on main: files a.txt, b.txt and dir/c.txt. */
  makeClone(name?: string): string
  /** A bare repository with that commit, and its URL. */
  makeRemote(name?: string): { path: string; url: string }
  /** Another instance; with `hurry` its waits for locks take no time. */
  again(onStep?: (step: string) => void, hurry?: 'hurry'): Repositories
  [Symbol.dispose](): void
}

export function sandbox(config: UserConfig = 'plain'): Sandbox {
  // A blank and a letter outside ASCII in every path.
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'gt git é-')))
  const home = join(root, 'home')
  mkdirSync(home)
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    GIT_CONFIG_NOSYSTEM: '1',
    // A hook that started gt would leave these behind.
    GIT_DIR: '/nonexistent',
    GIT_INDEX_FILE: '/nonexistent/index',
    GIT_WORK_TREE: '/nonexistent',
  }
  writeFileSync(join(home, '.gitconfig'), config === 'plain' ? PLAIN : hostile(home))
  const townRoot = join(root, 'town')
  const lockDir = join(townRoot, 'locks')
  const again = (onStep?: (step: string) => void, hurry?: 'hurry') =>
    createRepositories({
      townRoot,
      lockDir,
      env,
      ...(onStep === undefined ? {} : { onStep }),
      ...(hurry === undefined ? {} : { clock: { now: () => Date.now(), sleep: async () => undefined } }),
    })
  const git = (cwd: string, ...args: string[]) => {
    const { GIT_DIR, GIT_INDEX_FILE, GIT_WORK_TREE, ...clean } = env
    const calm = [
      '-c',
      'core.hooksPath=/dev/null',
      '-c',
      'commit.gpgsign=false',
      '-c',
      'core.fsmonitor=false',
    ]
    return execFileSync('git', [...calm, ...args], {
      cwd,
      env: clean,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).replace(/\n+$/, '')
  }
  const write = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
  const makeClone = (name = 'my clone') => {
    const path = join(root, name)
    mkdirSync(path)
    git(path, 'init', '-q', '-b', 'main')
    write(join(path, 'a.txt'), 'one\ntwo\nthree\n')
    write(join(path, 'b.txt'), 'b\n')
    write(join(path, 'dir/c.txt'), 'c\n')
    git(path, 'add', '-A')
    git(path, 'commit', '-q', '-m', 'first')
    return path
  }
  return {
    root,
    env,
    townRoot,
    lockDir,
    repositories: again(),
    git,
    write,
    makeClone,
    makeRemote(name = 'remote') {
      const seed = makeClone(`${name} seed`)
      const path = join(root, `${name}.git`)
      git(root, 'clone', '-q', '--bare', seed, path)
      return {
        path,
        url: `file://${encodeURI(path)
          .replaceAll('%20', ' ')
          .replaceAll(/%C3%A9/g, 'é')}`,
      }
    },
    again,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

export function rigOf(source: string, branch = 'main', name = 'proj'): Rig {
  return {
    name: name as RigName,
    source: source.includes('://') ? { kind: 'url', url: source } : { kind: 'path', path: source },
    branch,
    prefix: name,
    gates: [],
  }
}

const PLAIN = '[user]\n\tname = Ann User\n\temail = ann@example.com\n'

function hostile(home: string): string {
  const hooks = join(home, 'hooks')
  mkdirSync(hooks)
  const names = [
    'applypatch-msg',
    'commit-msg',
    'post-checkout',
    'post-commit',
    'post-merge',
    'post-rewrite',
    'pre-auto-gc',
    'pre-commit',
    'pre-merge-commit',
    'pre-push',
    'pre-rebase',
    'prepare-commit-msg',
    'post-index-change',
  ]
  for (const name of names) script(join(hooks, name), 'echo "hook ran: $0" >&2\nexit 1')
  script(join(home, 'broken'), 'echo "must not run: $0" >&2\nexit 1')
  const broken = join(home, 'broken')
  return `${PLAIN}
[core]
	hooksPath = "${hooks}"
	autocrlf = input
	fsmonitor = "${broken}"
	quotePath = true
	editor = "${broken}"
	pager = "${broken}"
	untrackedCache = true
[safe]
	bareRepository = explicit
[commit]
	gpgSign = true
	verbose = true
	cleanup = scissors
[gpg]
	program = "${broken}"
[rebase]
	autoSquash = true
	autoStash = true
	updateRefs = true
	forkPoint = true
	backend = apply
	missingCommitsCheck = error
[rerere]
	enabled = true
	autoUpdate = true
[push]
	default = nothing
	followTags = true
	gpgSign = if-asked
	recurseSubmodules = check
	autoSetupRemote = true
[status]
	showUntrackedFiles = no
	branch = true
	short = true
	relativePaths = false
[init]
	defaultBranch = trunk
[diff]
	external = "${broken}"
	noprefix = true
	ignoreSubmodules = all
	mnemonicPrefix = true
[merge]
	ff = only
	conflictStyle = diff3
	stat = true
[pull]
	rebase = interactive
[color]
	ui = always
[log]
	showSignature = true
	decorate = full
	date = relative
[i18n]
	logOutputEncoding = latin1
[submodule]
	recurse = true
[fetch]
	prune = true
	writeCommitGraph = true
[sequence]
	editor = "${broken}"
[alias]
	status = log
	st = status
[advice]
	detachedHead = true
[branch]
	autoSetupMerge = always
	autoSetupRebase = always
[worktree]
	guessRemote = true
[checkout]
	defaultRemote = upstream
`
}

export function script(path: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}
