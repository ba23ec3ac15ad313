import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Killable, killable } from './support/killable.js'
import { rigOf, sandbox } from './support/sandbox.js'

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

describe('prepare of a path', () => {
  test('a worktree, a folder inside and a bare repository lead to the repository', async () => {
    using box = sandbox('hostile')
    const clone = box.makeClone()
    const other = join(box.root, 'other')
    box.git(clone, 'worktree', 'add', '-q', '-b', 'side', other)
    const { path: bare } = box.makeRemote()
    for (const path of [clone, join(clone, 'dir'), other, bare, join(clone, '.git')]) {
      expect((await box.repositories.prepare(rigOf(path))).defaultBranch).toBe('main')
    }
    for (const path of [
      clone,
      join(clone, 'dir'),
      other,
      join(other, 'dir'),
      join(clone, '.git'),
      join(clone, 'not/yet'),
    ]) {
      expect(await box.repositories.findClone(path)).toEqual({ top: clone })
    }
    expect(await box.repositories.findClone(bare)).toEqual({
      top: bare,
      originUrl: join(box.root, 'remote seed'),
    })
    expect(await box.repositories.findClone(box.root)).toBeUndefined()
    box.git(clone, 'checkout', '-q', '--detach')
    expect((await box.repositories.prepare(rigOf(clone))).defaultBranch).toBe('main')
  })

  test('says what is wrong with it, and what to do', async () => {
    using box = sandbox()
    const folder = join(box.root, 'plain')
    mkdirSync(folder)
    const prepare = (path: string) => box.repositories.prepare(rigOf(path))
    await expect(prepare(folder)).rejects.toMatchObject({
      name: 'UsageError',
      code: 'not-a-repository',
      hint: `git init '${folder}'`,
    })
    await expect(prepare(join(folder, 'absent'))).rejects.toMatchObject({ code: 'not-a-repository' })
    box.git(folder, 'init', '-q')
    await expect(prepare(folder)).rejects.toMatchObject({
      name: 'OperationError',
      code: 'no-commits',
      hint: expect.stringContaining('commit --allow-empty'),
    })
    const clone = box.makeClone()
    box.git(clone, 'branch', '-m', 'one')
    box.git(clone, 'branch', 'two')
    box.git(clone, 'checkout', '-q', '--detach')
    await expect(prepare(clone)).rejects.toMatchObject({
      code: 'no-default-branch',
      details: { branches: ['one', 'two'] },
    })
  })
})

describe('prepare of a URL', () => {
  test('finds the default branch with and without a HEAD on the remote', async () => {
    using box = sandbox('hostile')
    const { path, url } = box.makeRemote()
    const inRemote = (...args: string[]) => box.git(box.root, `--git-dir=${path}`, ...args)
    inRemote('branch', 'another')
    inRemote('branch', '-m', 'main', 'Hauptzweig')
    expect((await box.repositories.prepare(rigOf(url))).defaultBranch).toBe('Hauptzweig')
    inRemote('symbolic-ref', 'HEAD', 'refs/heads/unborn')
    await expect(box.repositories.prepare(rigOf(url))).rejects.toMatchObject({ code: 'no-default-branch' })
    inRemote('branch', 'master', 'Hauptzweig')
    expect((await box.repositories.prepare(rigOf(url))).defaultBranch).toBe('master')
    inRemote('branch', '-D', 'master', 'another')
    expect((await box.repositories.prepare(rigOf(url))).defaultBranch).toBe('Hauptzweig')
  })

  test('keeps refs/heads for our own branches', async () => {
    using box = sandbox()
    await box.repositories.prepare(rigOf(box.makeRemote().url))
    const bare = join(box.townRoot, 'rigs/proj/repo.git')
    expect(box.git(bare, 'for-each-ref', '--format=%(refname)')).toBe(
      'refs/remotes/origin/HEAD\nrefs/remotes/origin/main',
    )
  })

  test('killed at any step, the next call finishes and leaves nothing half made', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeRemote().url)
    for (const killAt of [1, 2]) {
      expect((await child.run(box, 'prepare', [rig], { killAt })).killed).toBe(true)
      expect(existsSync(join(box.townRoot, 'rigs/proj/repo.git'))).toBe(false)
    }
    expect((await box.repositories.prepare(rig)).defaultBranch).toBe('main')
    expect(readdirSync(join(box.townRoot, 'rigs/proj'))).toEqual(['repo.git'])
  })

  test('two at once make one clone', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeRemote().url)
    const both = await Promise.all([
      child.run(box, 'prepare', [rig]),
      box.repositories.prepare(rig),
      box.repositories.prepare(rig),
    ])
    expect(both[1]).toEqual(both[2])
    expect(both[0].results).toEqual([both[1]])
  })

  test('says what is wrong: empty, unreachable, with a secret in it, not there', async () => {
    using box = sandbox()
    const empty = join(box.root, 'empty.git')
    box.git(box.root, 'init', '-q', '--bare', empty)
    await expect(box.repositories.prepare(rigOf(`file://${empty}`))).rejects.toMatchObject({
      code: 'no-commits',
    })
    await expect(box.repositories.prepare(rigOf('file:///nowhere', 'main', 'b'))).rejects.toMatchObject({
      name: 'ExternalError',
      code: 'remote-unreachable',
      details: { stderr: expect.stringContaining('nowhere') },
    })
    expect(readdirSync(join(box.townRoot, 'rigs/b'))).toEqual([])
    const failure = await box.repositories
      .prepare(rigOf('https://me:s3cret@127.0.0.1:9/x.git', 'main', 'c'))
      .catch((error) => error)
    expect(failure).toMatchObject({ code: 'remote-unreachable' })
    expect(JSON.stringify([failure.message, failure.details])).not.toContain('s3cret')
    await expect(box.repositories.targetHead(rigOf('file:///nowhere', 'main', 'd'))).rejects.toMatchObject({
      code: 'rig-not-prepared',
    })
  })

  test('a folder in the place of the clone is not overwritten', async () => {
    using box = sandbox()
    const place = join(box.townRoot, 'rigs/proj/repo.git')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'mine'), 'x')
    await expect(box.repositories.prepare(rigOf(box.makeRemote().url))).rejects.toMatchObject({
      name: 'ExternalError',
    })
    expect(readdirSync(place)).toEqual(['mine'])
  })
})
