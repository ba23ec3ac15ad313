import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGit } from '../../src/git/git-command.js'
import { gitEnvironment } from '../../src/git/git-environment.js'
import { isTemporary, withoutSecrets } from '../../src/git/git-failure.js'
import { type Sandbox, sandbox, script } from './support/sandbox.js'

function gitOf(box: Sandbox, slept: number[] = [], onSleep: () => void = () => undefined) {
  const sleep = async (ms: number) => {
    slept.push(ms)
    onSleep()
  }
  return createGit({ env: gitEnvironment(box.env), sleep })
}

describe('git', () => {
  test('a silent failure is a failure, and keeps argv, exit code and folder', async () => {
    using box = sandbox()
    const cwd = box.makeClone()
    const git = gitOf(box)
    expect(await git.attempt({ cwd, args: ['diff-index', '--quiet', 'HEAD'] })).toMatchObject({ exitCode: 0 })
    box.write(join(cwd, 'a.txt'), 'x')
    await expect(git.run({ cwd, args: ['diff-index', '--quiet', 'HEAD'] })).rejects.toMatchObject({
      name: 'ExternalError',
      code: 'git-failed',
      details: { argv: ['git', 'diff-index', '--quiet', 'HEAD'], exitCode: 1, cwd, tries: 1 },
    })
  })

  test('a lock that goes away is waited for; one that stays is named', async () => {
    using box = sandbox()
    const cwd = box.makeClone()
    const lock = join(cwd, '.git/index.lock')
    writeFileSync(lock, '')
    const slept: number[] = []
    const git = gitOf(box, slept, () => slept.length === 2 && rmSync(lock))
    await git.run({ cwd, args: ['reset', '--hard', '-q'] })
    expect(slept).toEqual([20, 50])
    writeFileSync(lock, '')
    await expect(gitOf(box).run({ cwd, args: ['reset', '--hard', '-q'] })).rejects.toMatchObject({
      hint: `when no git runs there, remove the left-over lock: ${lock}`,
      details: { tries: 6 },
    })
  })

  test('a ref that moved is not a lock to wait for', async () => {
    using box = sandbox()
    const cwd = box.makeClone()
    const slept: number[] = []
    const head = box.git(cwd, 'rev-parse', 'HEAD')
    const result = await gitOf(box, slept).attempt({
      cwd,
      args: ['update-ref', 'refs/heads/main', head, 'f'.repeat(40)],
    })
    expect(result.exitCode).toBe(128)
    expect(slept).toEqual([])
    expect(isTemporary('fatal: failed to read /x/.git/worktrees/w/commondir: Success')).toBe(true)
  })

  test('input and output keep every byte that is text', async () => {
    using box = sandbox()
    const cwd = box.makeClone()
    const git = gitOf(box)
    const sha = (await git.run({ cwd, args: ['hash-object', '-w', '--stdin'], input: 'ü\0\n' })).trim()
    expect(await git.run({ cwd, args: ['cat-file', 'blob', sha] })).toBe('ü\0\n')
  })

  test('a program that hangs is stopped; a daemon that keeps stderr open is not waited for', async () => {
    using box = sandbox()
    const cwd = box.makeClone()
    const pids = join(box.root, 'pids')
    const withSsh = (body: string) => {
      const env = { ...gitEnvironment(box.env), GIT_SSH_COMMAND: `'${script(join(box.root, 'ssh'), body)}'` }
      return createGit({ env, sleep: async () => undefined })
    }
    const args = ['ls-remote', 'ssh://host/x']
    try {
      const hanging = withSsh(`echo $$ >> "${pids}"; exec sleep 60`).run({ cwd, args, silenceMs: 500 })
      await expect(hanging).rejects.toMatchObject({ name: 'TimeoutError', code: 'git-silent' })
      const daemon = withSsh(`sleep 60 > /dev/null & echo $! >> "${pids}"; exit 1`).run({ cwd, args })
      await expect(daemon).rejects.toMatchObject({ code: 'remote-unreachable' })
    } finally {
      for (const pid of readFileSync(pids, 'utf8').trim().split('\n')) process.kill(Number(pid), 'SIGKILL')
    }
  })

  test('no git, no folder', async () => {
    using box = sandbox()
    const git = createGit({ env: { PATH: '/nonexistent' }, sleep: async () => undefined })
    await expect(git.run({ cwd: box.root, args: ['version'] })).rejects.toMatchObject({
      code: 'git-not-found',
    })
    await expect(gitOf(box).run({ cwd: '/nonexistent', args: ['version'] })).rejects.toMatchObject({
      code: 'folder-not-found',
    })
  })
})

describe('the environment of git', () => {
  test('keeps identity and network, drops repository, editor and pager', () => {
    const env = gitEnvironment({
      PATH: '/bin',
      GIT_DIR: '/x',
      GIT_INDEX_FILE: '/x',
      GIT_CONFIG_PARAMETERS: "'a=b'",
      GIT_TRACE: '1',
      GIT_SSH_COMMAND: 'ssh -i key',
      GIT_AUTHOR_NAME: 'Ann',
      GIT_AUTHOR_DATE: '2000-01-01',
      EDITOR: 'vi',
      LANG: 'de_DE.UTF-8',
    })
    expect(env).toMatchObject({
      PATH: '/bin',
      GIT_SSH_COMMAND: 'ssh -i key',
      GIT_AUTHOR_NAME: 'Ann',
      LC_ALL: 'C',
      GIT_EDITOR: 'true',
    })
    for (const key of [
      'GIT_DIR',
      'GIT_INDEX_FILE',
      'GIT_CONFIG_PARAMETERS',
      'GIT_TRACE',
      'GIT_AUTHOR_DATE',
      'EDITOR',
    ]) {
      expect(env).not.toHaveProperty(key)
    }
  })

  test('passwords do not get into errors', () => {
    expect(withoutSecrets("fatal: unable to access 'https://me:token@host/x/'")).toBe(
      "fatal: unable to access 'https://***@host/x/'",
    )
    expect(withoutSecrets('git@host:x and file:///a@b')).toBe('git@host:x and file:///a@b')
  })
})
