import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Killable, killable } from './support/killable.js'
import { rigOf, type Sandbox, sandbox, script } from './support/sandbox.js'

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

const branch = 'gt/toast/x'

async function worktree(box: Sandbox, url?: string) {
  const remote = box.makeRemote()
  const rig = rigOf(url ?? remote.url)
  const { head: base } = await box.repositories.prepare(rig)
  const path = join(box.root, 'w')
  await box.repositories.addWorktree({ rig, path, branch, base })
  const commit = (message: string, ...more: string[]) => {
    box.git(path, 'commit', '-q', '--allow-empty', '-m', message, ...more)
    return box.git(path, 'rev-parse', 'HEAD')
  }
  const onRemote = () => box.git(box.root, `--git-dir=${remote.path}`, 'rev-parse', `refs/heads/${branch}`)
  return { remote, rig, base, path, commit, onRemote }
}

describe('publish', () => {
  test('an amended commit replaces what was published, also after a fetch', async () => {
    using box = sandbox('hostile')
    const { rig, commit, onRemote } = await worktree(box)
    const first = commit('first')
    expect(await box.repositories.publish(rig, branch, first)).toMatchObject({ sha: first })
    expect(onRemote()).toBe(first)
    const amended = commit('amended', '--amend')
    await box.repositories.prepare(rig)
    await box.repositories.publish(rig, branch, amended)
    expect(onRemote()).toBe(amended)
    await box.repositories.publish(rig, branch, amended)
  })

  test("somebody else's commit on the branch is not thrown away", async () => {
    using box = sandbox()
    const { rig, commit, onRemote, remote } = await worktree(box)
    await box.repositories.publish(rig, branch, commit('first'))
    const other = join(box.root, 'other')
    box.git(box.root, 'clone', '-q', '-b', branch, remote.path, other)
    box.git(other, 'commit', '-q', '--allow-empty', '-m', 'theirs')
    box.git(other, 'push', '-q', 'origin', branch)
    const theirs = onRemote()
    await box.repositories.prepare(rig)
    await expect(box.repositories.publish(rig, branch, commit('more'))).rejects.toMatchObject({
      code: 'branch-moved',
    })
    await expect(
      box.repositories.deleteBranch(rig, branch, box.git(join(box.root, 'w'), 'rev-parse', 'HEAD')),
    ).rejects.toMatchObject({
      code: 'branch-in-use',
    })
    expect(onRemote()).toBe(theirs)
  })

  test('killed at any step, an amended commit can still be published', async () => {
    using box = sandbox()
    const { rig, commit, onRemote } = await worktree(box)
    for (let killAt = 1; ; killAt++) {
      const outcome = await child.run(box, 'publish', [rig, branch, commit(`n${killAt}`)], { killAt })
      const head = commit(`amended ${killAt}`, '--amend')
      await box.repositories.publish(rig, branch, head)
      expect(onRemote()).toBe(head)
      if (!outcome.killed) break
    }
  })

  test("a refusal keeps the remote's words; an absent remote is an external failure", async () => {
    using box = sandbox()
    const { rig, commit, remote } = await worktree(box)
    script(join(remote.path, 'hooks/pre-receive'), 'echo "no pushes on fridays" >&2; exit 1')
    const head = commit('first')
    await expect(box.repositories.publish(rig, branch, head)).rejects.toMatchObject({
      code: 'publish-refused',
      message: expect.stringContaining('no pushes on fridays'),
    })
    box.git(
      join(box.townRoot, 'rigs/proj/repo.git'),
      '--git-dir=.',
      'config',
      'remote.origin.url',
      'file:///nowhere',
    )
    await expect(box.repositories.publish(rig, branch, head)).rejects.toMatchObject({
      name: 'ExternalError',
      code: 'remote-unreachable',
      details: { exitCode: 128, argv: expect.arrayContaining(['ls-remote']) },
    })
  })

  test('a path rig proves that the branch is in the clone', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    box.git(clone, 'branch', branch)
    expect(await box.repositories.publish(rig, branch, base)).toEqual({ where: clone, sha: base })
    await expect(box.repositories.publish(rig, 'gt/none', base)).rejects.toMatchObject({
      code: 'branch-moved',
    })
  })

  test('files of Git LFS are sent before the commits that name them', async () => {
    using box = sandbox()
    const { rig, path, commit, onRemote } = await worktree(box)
    const log = join(box.root, 'lfs.log')
    const bin = join(box.root, 'bin')
    box.write(join(bin, 'x'), '')
    script(join(bin, 'git-lfs'), `echo "$@" >> "${log}"; cat >> "${log}"`)
    box.git(path, 'config', 'filter.lfs.clean', 'cat')
    box.write(join(path, 'sub/.gitattributes'), '*.bin filter=lfs\n')
    box.git(path, 'add', '-A')
    const head = commit('lfs')
    box.env.PATH = `${bin}:${box.env.PATH}`
    await box.again().publish(rig, branch, head)
    expect(existsSync(log) && readFileSync(log, 'utf8')).toMatch(
      new RegExp(`^pre-push origin file://.*\nrefs/heads/${branch} ${head} refs/heads/${branch} 0{40}\n$`),
    )
    expect(onRemote()).toBe(head)
  })
})

describe('deleteBranch', () => {
  test('deletes here and on the remote, only what is where it is expected', async () => {
    using box = sandbox()
    const { rig, commit, remote, path, base } = await worktree(box)
    const head = commit('work')
    await box.repositories.publish(rig, branch, head)
    box.git(path, 'checkout', '-q', '--detach')
    await expect(box.repositories.deleteBranch(rig, branch, base)).rejects.toMatchObject({
      code: 'branch-moved',
    })
    await box.repositories.deleteBranch(rig, branch, head)
    await box.repositories.deleteBranch(rig, branch, head)
    expect(box.git(remote.path, 'for-each-ref', '--format=%(refname)', 'refs/heads/')).toBe('refs/heads/main')
    expect(box.git(path, 'for-each-ref', '--format=%(refname)', 'refs/heads/', 'refs/gt/')).toBe('')
  })
})
