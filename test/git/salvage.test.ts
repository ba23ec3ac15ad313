import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentId } from '../../src/domain/ids.js'
import type { Salvage, Sha } from '../../src/ports/repositories.js'
import { type Killable, killable } from './support/killable.js'
import { rigOf, type Sandbox, sandbox } from './support/sandbox.js'

const agent = agentId('proj', 'toast')
const at = new Date('2025-01-02T03:04:05Z')

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

async function worktree(box: Sandbox) {
  const clone = box.makeClone()
  const rig = rigOf(clone)
  const base = await box.repositories.targetHead(rig)
  const path = join(box.root, 'w')
  await box.repositories.addWorktree({ rig, path, branch: 'gt/toast/x', base })
  const salvage = (safeOn?: Sha) =>
    box.repositories.salvage({
      rig,
      path,
      agent,
      reason: 'test',
      at,
      ...(safeOn === undefined ? {} : { safeOn }),
    })
  return { clone, rig, base, path, admin: join(clone, '.git/worktrees/w'), salvage }
}

function saved(salvage: Salvage) {
  if (salvage.kind !== 'saved') throw new Error(`not saved: ${salvage.why}`)
  return salvage
}

const show = (box: Sandbox, clone: string, salvage: Salvage, file: string) =>
  box.git(clone, 'show', `${saved(salvage).ref}:${file}`)
const listed = (box: Sandbox, clone: string, salvage: Salvage) =>
  box
    .git(clone, '-c', 'core.quotePath=false', 'ls-tree', '-r', '--name-only', '-z', saved(salvage).ref)
    .split('\0')
    .filter((n) => n !== '')

describe('salvage', () => {
  test('saves changed, new, deleted, staged and oddly named files, not ignored ones, and touches nothing', async () => {
    using box = sandbox('hostile')
    const { clone, path, salvage, admin } = await worktree(box)
    box.write(join(path, '.gitignore'), 'ignored\n')
    box.write(join(path, 'ignored'), 'x')
    box.write(join(path, 'a.txt'), 'changed')
    rmSync(join(path, 'b.txt'))
    box.write(join(path, 'staged'), 'staged')
    box.git(path, 'add', 'staged')
    const odd = [
      '-dash',
      ' blank ',
      'quote"\'',
      'new\nline',
      'ümlaut',
      '*',
      ':(top)x',
      'back\\slash',
      'tab\t',
    ]
    for (const name of odd) box.write(join(path, name), name)
    symlinkSync('/nowhere', join(path, 'dangling'))
    box.write(join(path, 'run'), '#!/bin/sh\n')
    chmodSync(join(path, 'run'), 0o755)
    const before = readdirSync(admin)
    const status = box.git(path, '-c', 'alias.x=', 'status', '--porcelain', '-uall', '-z')
    const found = await salvage()
    expect(listed(box, clone, found)).toEqual(
      ['.gitignore', 'a.txt', 'staged', 'dir/c.txt', 'dangling', 'run', ...odd].sort((a, b) =>
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
      ),
    )
    expect(show(box, clone, found, 'a.txt')).toBe('changed')
    expect(box.git(clone, 'ls-tree', saved(found).ref, 'run')).toMatch(/^100755/)
    expect(readdirSync(admin)).toEqual(before)
    expect(box.git(path, 'status', '--porcelain', '-uall', '-z')).toBe(status)
    expect(found).not.toHaveProperty('notSaved')
    expect(readdirSync(box.lockDir).filter((name) => name.startsWith('snapshot'))).toEqual([])
  })

  test('in the middle of a conflicted rebase, the branch as it was is kept as well', async () => {
    using box = sandbox()
    const { clone, path, salvage, base } = await worktree(box)
    box.write(join(path, 'a.txt'), 'agent\n')
    box.git(path, 'commit', '-qam', 'agent')
    const tip = box.git(path, 'rev-parse', 'HEAD')
    box.write(join(clone, 'a.txt'), 'user\n')
    box.git(clone, 'commit', '-qam', 'user')
    expect(() => box.git(path, 'rebase', 'main')).toThrow()
    const found = await salvage(base)
    expect(show(box, clone, found, 'a.txt')).toMatch(/<<<<<<<.*agent/s)
    expect(box.git(clone, 'rev-list', '--parents', '-n1', saved(found).ref)).toContain(tip)
    expect(box.git(clone, 'log', '-1', '--format=%B', saved(found).ref)).toMatch(/In-progress: rebase/)
  })

  test('in the middle of a merge with a conflict between deletion and change', async () => {
    using box = sandbox()
    const { clone, path, salvage, rig } = await worktree(box)
    box.git(path, 'rm', '-q', 'a.txt')
    box.git(path, 'commit', '-qm', 'agent')
    box.write(join(clone, 'a.txt'), 'user\n')
    box.git(clone, 'commit', '-qam', 'user')
    expect(() => box.git(path, 'merge', 'main')).toThrow()
    rmSync(join(path, 'a.txt'))
    const found = await salvage()
    expect(listed(box, clone, found)).toEqual(['b.txt', 'dir/c.txt'])
    await box.repositories.removeWorktree({ rig, path, salvage: found })
    expect(existsSync(path)).toBe(false)
  })

  test('with a locked, a damaged and a missing index', async () => {
    using box = sandbox()
    const { clone, path, salvage, admin } = await worktree(box)
    box.write(join(path, 'a.txt'), 'changed')
    writeFileSync(join(admin, 'index.lock'), '')
    expect(show(box, clone, await salvage(), 'a.txt')).toBe('changed')
    writeFileSync(join(admin, 'index'), 'nonsense')
    expect(show(box, clone, await salvage(), 'a.txt')).toBe('changed')
    rmSync(join(admin, 'index'))
    expect(listed(box, clone, await salvage())).toEqual(['a.txt', 'b.txt', 'dir/c.txt'])
  })

  test('a change that git was told to overlook is saved', async () => {
    using box = sandbox()
    const { clone, path, salvage } = await worktree(box)
    box.git(path, 'update-index', '--assume-unchanged', 'a.txt')
    box.git(path, 'update-index', '--skip-worktree', 'b.txt')
    box.write(join(path, 'a.txt'), 'A')
    box.write(join(path, 'b.txt'), 'B')
    const found = await salvage()
    expect([show(box, clone, found, 'a.txt'), show(box, clone, found, 'b.txt')]).toEqual(['A', 'B'])
  })

  test('a change of the same size within the same clock tick as the index is saved', async () => {
    using box = sandbox()
    const { clone, path, salvage, admin } = await worktree(box)
    const tick = new Date(1_700_000_000_000)
    utimesSync(join(path, 'b.txt'), tick, tick)
    box.git(path, 'update-index', '--refresh')
    writeFileSync(join(path, 'b.txt'), 'c\n')
    utimesSync(join(path, 'b.txt'), tick, tick)
    utimesSync(join(admin, 'index'), tick, tick)
    expect(show(box, clone, await salvage(), 'b.txt')).toBe('c')
  })

  test('on an unborn branch and without one', async () => {
    using box = sandbox()
    const { clone, path, salvage } = await worktree(box)
    box.git(path, 'switch', '-q', '--orphan', 'fresh')
    box.write(join(path, 'only'), 'x')
    const found = await salvage()
    expect(listed(box, clone, found)).toEqual(['only'])
    expect(box.git(clone, 'rev-list', '--parents', '-n1', saved(found).ref).split(' ')).toHaveLength(1)
  })

  test('the bytes of a file whose filter fails, and beside a pipe', async () => {
    using box = sandbox()
    const { clone, path, salvage } = await worktree(box)
    box.git(clone, 'config', 'filter.bad.clean', 'false')
    box.git(clone, 'config', 'filter.bad.required', 'true')
    box.write(join(path, '.gitattributes'), '*.x filter=bad\n')
    box.write(join(path, 'file.x'), 'bytes')
    rmSync(join(path, 'a.txt'))
    execFileSync('mkfifo', [join(path, 'a.txt')])
    const found = await salvage()
    expect(show(box, clone, found, 'file.x')).toBe('bytes')
    expect(found).not.toHaveProperty('notSaved')
  })

  test('what a sparse checkout leaves out is not taken for deleted', async () => {
    using box = sandbox()
    const { clone, path, salvage, base } = await worktree(box)
    box.git(path, 'sparse-checkout', 'set', '--no-cone', '/a.txt')
    expect(existsSync(join(path, 'dir'))).toBe(false)
    expect((await salvage(base)).kind).toBe('nothing')
    box.write(join(path, 'dir/outside.txt'), 'x')
    expect(listed(box, clone, await salvage(base))).toEqual([
      'a.txt',
      'b.txt',
      'dir/c.txt',
      'dir/outside.txt',
    ])
  })

  test('two thousand untracked files', async () => {
    using box = sandbox()
    const { clone, path, salvage } = await worktree(box)
    mkdirSync(join(path, 'many'))
    for (let n = 0; n < 2000; n++) writeFileSync(join(path, 'many', `f${n}`), `${n}`)
    expect(listed(box, clone, await salvage())).toHaveLength(2003)
  })

  test('two in the same second get different names', async () => {
    using box = sandbox()
    const { salvage, rig } = await worktree(box)
    const found = await Promise.all([salvage(), salvage(), salvage()])
    expect(new Set(found.map((one) => saved(one).ref)).size).toBe(3)
    expect((await box.repositories.listSalvage(rig)).map((one) => one.ref).sort()).toEqual([
      'refs/gt/salvage/proj/toast/20250102T030405Z',
      'refs/gt/salvage/proj/toast/20250102T030405Z-2',
      'refs/gt/salvage/proj/toast/20250102T030405Z-3',
    ])
  })

  test('nothing to save: a clean tree whose commits are safe; a commit more is something', async () => {
    using box = sandbox()
    const { salvage, base, path } = await worktree(box)
    expect(await salvage(base)).toMatchObject({ kind: 'nothing', head: base })
    box.git(path, 'commit', '-q', '--allow-empty', '-m', 'more')
    expect((await salvage(base)).kind).toBe('saved')
  })

  test('when the agent deleted or replaced the .git file, or git forgot the worktree', async () => {
    using box = sandbox()
    const { clone, path, salvage, admin, rig } = await worktree(box)
    box.write(join(path, 'new'), 'x')
    box.git(path, 'commit', '-q', '--allow-empty', '-m', 'agent')
    const tip = box.git(path, 'rev-parse', 'HEAD')
    renameSync(join(path, '.git'), join(box.root, 'link'))
    const found = await salvage()
    expect(listed(box, clone, found)).toContain('new')
    expect(box.git(clone, 'rev-parse', `${saved(found).ref}^`)).toBe(tip)

    box.git(path, 'init', '-q')
    box.git(path, 'add', 'new')
    box.git(path, 'commit', '-qm', 'in the new repository')
    const own = await salvage()
    expect(listed(box, clone, own)).toContain('gt-salvaged-commits.bundle')
    rmSync(join(path, '.git'), { recursive: true })

    renameSync(join(box.root, 'link'), join(path, '.git'))
    rmSync(admin, { recursive: true })
    const orphan = await salvage()
    expect(listed(box, clone, orphan)).toEqual(['a.txt', 'b.txt', 'dir/c.txt', 'new'])
    await box.repositories.removeWorktree({ rig, path, salvage: orphan })
    expect(existsSync(path)).toBe(false)
  })

  test('when the folder is gone, its commits are saved and its record removed', async () => {
    using box = sandbox()
    const { path, salvage, admin, rig, base } = await worktree(box)
    box.git(path, 'commit', '-q', '--allow-empty', '-m', 'agent')
    rmSync(path, { recursive: true })
    const found = await salvage(base)
    await box.repositories.removeWorktree({ rig, path, salvage: found })
    expect(existsSync(admin)).toBe(false)
  })

  test("never takes the user's own clone or a plain folder for a worktree", async () => {
    using box = sandbox()
    const { clone, rig, path } = await worktree(box)
    mkdirSync(join(box.root, 'plain'))
    for (const wrong of [clone, join(box.root, 'plain'), box.root, join(path, 'dir')]) {
      const request = { rig, path: wrong, agent, reason: 'x', at }
      await expect(box.repositories.salvage(request)).rejects.toMatchObject({ code: 'worktree-not-found' })
      const salvage: Salvage = { kind: 'nothing', head: '0'.repeat(40), path: wrong, why: '' }
      await expect(box.repositories.removeWorktree({ rig, path: wrong, salvage })).rejects.toMatchObject({
        code: 'worktree-not-found',
      })
      expect(existsSync(wrong)).toBe(true)
    }
  })
})

describe('salvage of repositories inside the worktree', () => {
  test('one without a remote is saved as files and a bundle of its commits', async () => {
    using box = sandbox('hostile')
    const { clone, path, salvage, rig } = await worktree(box)
    const nested = join(path, 'sub dir/nested')
    mkdirSync(nested, { recursive: true })
    box.git(nested, 'init', '-q')
    box.write(join(nested, 'code'), 'committed')
    box.git(nested, 'add', '-A')
    box.git(nested, 'commit', '-qm', 'nested')
    const tip = box.git(nested, 'rev-parse', 'HEAD')
    box.write(join(nested, 'code'), 'changed')
    const empty = join(path, 'empty')
    mkdirSync(empty)
    box.git(empty, 'init', '-q')
    box.write(join(empty, 'draft'), 'x')
    const found = await salvage()
    expect(show(box, clone, found, 'sub dir/nested/code')).toBe('changed')
    expect(show(box, clone, found, 'empty/draft')).toBe('x')
    expect(found).not.toHaveProperty('notSaved')
    const message = box.git(clone, 'log', '-1', '--format=%B', '--no-show-signature', saved(found).ref)
    expect(message).toMatch(
      /Note: nested repository sub dir\/nested: saved as plain files, its local commits as/,
    )

    box.git(clone, 'worktree', 'add', '-q', '--detach', join(box.root, 'restored'), saved(found).ref)
    box.git(
      box.root,
      'clone',
      '-q',
      join(box.root, 'restored/sub dir/nested/gt-salvaged-commits.bundle'),
      join(box.root, 'back'),
    )
    expect(box.git(join(box.root, 'back'), 'rev-parse', 'HEAD')).toBe(tip)

    await box.repositories.removeWorktree({ rig, path, salvage: found })
    expect(existsSync(path)).toBe(false)
  })

  test('a fresh clone in it is only recorded', async () => {
    using box = sandbox()
    const { clone, path, salvage } = await worktree(box)
    box.git(path, 'clone', '-q', box.makeRemote().url, 'scratch')
    const found = await salvage()
    expect(box.git(clone, 'ls-tree', saved(found).ref, 'scratch')).toMatch(/^160000 commit/)
    box.write(join(path, 'scratch/a.txt'), 'changed')
    expect(show(box, clone, await salvage(), 'scratch/a.txt')).toBe('changed')
  })

  test('a submodule with local work', async () => {
    using box = sandbox()
    const { clone, path, salvage, rig } = await worktree(box)
    box.git(
      path,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      box.makeRemote().url,
      'lib',
    )
    box.git(path, 'commit', '-qm', 'submodule')
    const clean = await salvage()
    expect(box.git(clone, 'ls-tree', saved(clean).ref, 'lib')).toMatch(/^160000 commit/)
    box.write(join(path, 'lib/a.txt'), 'work in the submodule')
    const found = await salvage()
    expect(show(box, clone, found, 'lib/a.txt')).toBe('work in the submodule')
    await box.repositories.removeWorktree({ rig, path, salvage: found })
    expect(existsSync(path)).toBe(false)
  })
})

describe('removeWorktree', () => {
  test('keeps a tree that changed since its salvage', async () => {
    using box = sandbox()
    const { path, salvage, rig, base } = await worktree(box)
    const clean = await salvage(base)
    box.write(join(path, 'late'), 'x')
    const refused = { code: 'not-salvaged' }
    await expect(box.repositories.removeWorktree({ rig, path, salvage: clean })).rejects.toMatchObject(
      refused,
    )
    const found = saved(await salvage())
    box.write(join(path, 'late'), 'y')
    await expect(box.repositories.removeWorktree({ rig, path, salvage: found })).rejects.toMatchObject(
      refused,
    )
    const again = saved(await salvage())
    box.git(path, 'commit', '-q', '--allow-empty', '-m', 'late')
    await expect(box.repositories.removeWorktree({ rig, path, salvage: again })).rejects.toMatchObject(
      refused,
    )
    const last = saved(await salvage())
    await expect(
      box.repositories.removeWorktree({ rig, path, salvage: { ...last, path: box.root } }),
    ).rejects.toMatchObject(refused)
    box.git(path, 'update-ref', '-d', last.ref)
    await expect(box.repositories.removeWorktree({ rig, path, salvage: last })).rejects.toMatchObject(refused)
    expect(existsSync(join(path, 'late'))).toBe(true)
  })

  test('keeps a tree of which something could not be saved', async () => {
    using box = sandbox()
    const { clone, path, salvage, rig } = await worktree(box)
    let folder = path
    for (let depth = 0; depth < 5; depth++) {
      folder = join(folder, 'deeper')
      box.write(join(folder, 'file'), `${depth}`)
      box.git(folder, 'init', '-q')
      box.git(folder, 'commit', '-q', '--allow-empty', '-m', 'nested')
    }
    const found = saved(await salvage())
    expect(found.notSaved).toEqual(['deeper/deeper/deeper/deeper/ (a repository nested too deep)'])
    expect(show(box, clone, found, 'deeper/deeper/deeper/file')).toBe('2')
    expect(box.git(clone, 'log', '-1', '--format=%B', found.ref)).toMatch(/^Not-saved: deeper/m)
    await expect(box.repositories.removeWorktree({ rig, path, salvage: found })).rejects.toThrow(
      /nested too deep/,
    )
    expect(existsSync(folder)).toBe(true)
  })

  test('leaves alone what a person locked', async () => {
    using box = sandbox()
    const { clone, path, salvage, rig } = await worktree(box)
    const found = await salvage()
    box.git(clone, 'worktree', 'lock', '--reason', 'mine', path)
    await expect(box.repositories.removeWorktree({ rig, path, salvage: found })).rejects.toMatchObject({
      code: 'worktree-locked',
    })
  })

  test('killed at any step, the same call finishes it; nothing of it is left', async () => {
    using box = sandbox()
    const { rig, base } = await worktree(box)
    for (let killAt = 1; ; killAt++) {
      const path = join(box.root, `k${killAt}`)
      await box.repositories.addWorktree({ rig, path, branch: `gt/k${killAt}/x`, base })
      box.write(join(path, 'read only', 'file'), 'x')
      chmodSync(join(path, 'read only'), 0o555)
      const salvage = await box.repositories.salvage({ rig, path, agent, reason: 'kill', at })
      const outcome = await child.run(box, 'removeWorktree', [{ rig, path, salvage }], { killAt })
      // What a kill in the middle of deleting leaves.
      if (existsSync(join(path, 'a.txt')) && killAt === 1) rmSync(join(path, '.git'))
      await box.repositories.removeWorktree({ rig, path, salvage })
      expect(existsSync(path)).toBe(false)
      if (!outcome.killed) break
    }
    expect(readdirSync(box.lockDir).filter((name) => name.startsWith('removing-'))).toEqual([])
  })
})
