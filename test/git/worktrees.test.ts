import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Killable, killable } from './support/killable.js'
import { rigOf, sandbox } from './support/sandbox.js'

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

const files = (path: string) => readdirSync(path).sort()
const FIRST = ['.git', 'a.txt', 'b.txt', 'dir']

describe('addWorktree', () => {
  test('thirty at once, from three processes, all get a whole worktree', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeClone())
    const base = await box.repositories.targetHead(rig)
    const request = { rig, path: join(box.root, 'w#'), branch: 'gt/a#/x', base }
    const outcomes = await Promise.all(
      [0, 10, 20].map((firstNumber) => child.run(box, 'addWorktree', [request], { times: 10, firstNumber })),
    )
    expect(outcomes.flatMap((outcome) => outcome.results)).toEqual(
      Array.from({ length: 30 }, () => ({ head: base })),
    )
    for (let n = 0; n < 30; n++) expect(files(join(box.root, `w${n}`))).toEqual(FIRST)
  })

  test('thirty at once in one process', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeRemote().url)
    const { head: base } = await box.repositories.prepare(rig)
    const paths = Array.from({ length: 30 }, (_, n) => join(box.root, `w${n}`))
    await Promise.all(
      paths.map((path, n) => box.repositories.addWorktree({ rig, path, branch: `gt/a${n}/x`, base })),
    )
    for (const path of paths) expect(files(path)).toEqual(FIRST)
  })

  test('killed between any two steps, the same call finishes it', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    for (let killAt = 1; ; killAt++) {
      const request = { rig, path: join(box.root, `w${killAt}`), branch: `gt/a${killAt}/x`, base }
      const outcome = await child.run(box, 'addWorktree', [request], { killAt })
      expect(await box.repositories.addWorktree(request)).toEqual({ head: base })
      expect(files(request.path)).toEqual(FIRST)
      expect(box.git(request.path, 'status', '--porcelain')).toBe('')
      if (!outcome.killed) break
    }
    expect(readdirSync(box.lockDir).filter((name) => name.startsWith('adding-'))).toEqual([])
  })

  test('what git worktree add leaves when it is killed itself is cleared and made anew', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    const request = { rig, path: join(box.root, 'w'), branch: 'gt/a/x', base }
    await child.run(box, 'addWorktree', [request], { killAt: 2 })
    const admin = join(clone, '.git/worktrees/w')
    rmSync(join(admin, 'commondir'))
    rmSync(join(admin, 'HEAD'))
    writeFileSync(join(admin, 'locked'), 'initializing')
    expect(await box.repositories.addWorktree(request)).toEqual({ head: base })
    expect(files(request.path)).toEqual(FIRST)
    expect(box.git(request.path, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('gt/a/x')
  })

  test('the lock of a branch that a killed git was making is no obstacle', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    const request = { rig, path: join(box.root, 'w'), branch: 'gt/a/x', base }
    await child.run(box, 'addWorktree', [request], { killAt: 1 })
    box.write(join(clone, '.git/refs/heads/gt/a/x.lock'), '')
    expect(await box.again(undefined, 'hurry').addWorktree(request)).toEqual({ head: base })
  })

  test('a begun one may be asked for again on a newer base', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    const request = { rig, path: join(box.root, 'w'), branch: 'gt/a/x', base }
    await child.run(box, 'addWorktree', [request], { killAt: 1 })
    box.git(clone, 'branch', 'gt/a/x', base)
    box.git(clone, 'commit', '-q', '--allow-empty', '-m', 'newer')
    const newer = await box.repositories.targetHead(rig)
    expect(await box.repositories.addWorktree({ ...request, base: newer })).toEqual({ head: newer })
  })

  test('again on the same path and branch leaves the work as it is', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeClone())
    const base = await box.repositories.targetHead(rig)
    const request = { rig, path: join(box.root, 'w'), branch: 'gt/a/x', base }
    await box.repositories.addWorktree(request)
    writeFileSync(join(request.path, 'a.txt'), 'work')
    await box.repositories.addWorktree(request)
    expect(readFileSync(join(request.path, 'a.txt'), 'utf8')).toBe('work')
    rmSync(box.git(request.path, 'rev-parse', '--path-format=absolute', '--git-path', 'index'))
    await box.repositories.addWorktree(request)
    expect(readFileSync(join(request.path, 'a.txt'), 'utf8')).toBe('work')
  })

  test('refuses a branch and a path that somebody else has', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    box.git(clone, 'branch', 'gt/a/x')
    box.git(clone, 'branch', 'gt/b')
    const path = join(box.root, 'w')
    const add = (request: { path: string; branch: string }) =>
      box.repositories.addWorktree({ rig, base, ...request })
    await expect(add({ path, branch: 'gt/a/x' })).rejects.toMatchObject({ code: 'branch-exists' })
    await expect(add({ path, branch: 'gt/a/x' })).rejects.toMatchObject({ code: 'branch-exists' })
    await expect(add({ path, branch: 'gt/b/x' })).rejects.toMatchObject({ code: 'branch-exists' })
    expect(existsSync(path)).toBe(false)
    mkdirSync(path)
    writeFileSync(join(path, 'mine'), '')
    await expect(add({ path, branch: 'gt/c/x' })).rejects.toMatchObject({ code: 'path-exists' })
    await expect(add({ path: clone, branch: 'gt/c/x' })).rejects.toMatchObject({ code: 'path-exists' })
    for (const branch of ['-x', 'a..b', 'a b', 'x.lock', 'a//b', '@', 'HEAD']) {
      await expect(add({ path: join(box.root, 'v'), branch })).rejects.toMatchObject({
        code: 'bad-branch-name',
      })
    }
  })

  test('the path of a worktree that was deleted by hand can be used again', async () => {
    using box = sandbox()
    const rig = rigOf(box.makeClone())
    const base = await box.repositories.targetHead(rig)
    const path = join(box.root, 'w')
    await box.repositories.addWorktree({ rig, path, branch: 'gt/a/x', base })
    rmSync(path, { recursive: true })
    await box.repositories.addWorktree({ rig, path, branch: 'gt/a/y', base })
    expect(files(path)).toEqual(FIRST)
  })
})

describe('worktreeState', () => {
  test('names what stands half done', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    const base = await box.repositories.targetHead(rig)
    const path = join(box.root, 'w')
    await box.repositories.addWorktree({ rig, path, branch: 'gt/a/x', base })
    box.write(join(path, 'a.txt'), 'agent\n')
    box.git(path, 'commit', '-qam', 'agent')
    box.write(join(clone, 'a.txt'), 'user\n')
    box.git(clone, 'commit', '-qam', 'user')
    expect(() => box.git(path, 'rebase', 'main')).toThrow()
    const state = await box.repositories.worktreeState(rig, path)
    expect(state).toMatchObject({ inProgress: 'rebase', dirty: ['UU a.txt'] })
    expect(state.branch).toBeUndefined()
  })

  test('says not found for a path that is none, even inside another repository', async () => {
    using box = sandbox()
    const clone = box.makeClone()
    const rig = rigOf(clone)
    mkdirSync(join(clone, 'inner'))
    for (const path of [join(clone, 'inner'), clone, join(box.root, 'nowhere')]) {
      await expect(box.repositories.worktreeState(rig, path)).rejects.toMatchObject({
        code: 'worktree-not-found',
      })
    }
  })
})
