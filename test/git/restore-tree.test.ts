import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { agentId } from '../../src/domain/ids.js'
import { rigOf, type Sandbox, sandbox } from './support/sandbox.js'

async function savedTree(box: Sandbox) {
  const clone = box.makeClone()
  const rig = rigOf(clone)
  const base = await box.repositories.targetHead(rig)
  const path = join(box.root, 'w')
  await box.repositories.addWorktree({ rig, path, branch: 'gt/toast/x', base })
  box.write(join(path, 'a.txt'), 'changed')
  rmSync(join(path, 'b.txt'))
  box.write(join(path, 'new *'), 'new')
  box.write(join(path, 'staged'), 'staged')
  box.git(path, 'add', 'staged')
  const at = new Date('2025-01-02T03:04:05Z')
  const salvage = await box.repositories.salvage({
    rig,
    path,
    agent: agentId('proj', 'toast'),
    reason: 'test',
    at,
  })
  if (salvage.kind !== 'saved') throw new Error(salvage.why)
  return { clone, rig, base, from: salvage.sha }
}

describe('restoreTree', () => {
  test('brings changed, new and deleted files into another worktree, uncommitted', async () => {
    using box = sandbox('hostile')
    const { rig, base, from } = await savedTree(box)
    const other = join(box.root, 'w2')
    await box.repositories.addWorktree({ rig, path: other, branch: 'gt/nux/x', base })
    await box.repositories.restoreTree({ rig, path: other, from })
    expect(readFileSync(join(other, 'a.txt'), 'utf8')).toBe('changed')
    expect(readFileSync(join(other, 'new *'), 'utf8')).toBe('new')
    expect(existsSync(join(other, 'b.txt'))).toBe(false)
    expect(box.git(other, 'rev-parse', 'HEAD')).toBe(base)
    const { dirty } = await box.repositories.worktreeState(rig, other)
    expect([...dirty].sort()).toEqual([' D b.txt', ' M a.txt', '?? new *', '?? staged'])
  })

  test('refuses a tree with changes of its own, and one that stands elsewhere', async () => {
    using box = sandbox()
    const { rig, base, from } = await savedTree(box)
    const other = join(box.root, 'w2')
    await box.repositories.addWorktree({ rig, path: other, branch: 'gt/nux/x', base })
    box.write(join(other, 'mine'), 'x')
    const restore = () => box.repositories.restoreTree({ rig, path: other, from })
    await expect(restore()).rejects.toMatchObject({ code: 'dirty-tree' })
    box.git(other, 'add', 'mine')
    box.git(other, 'commit', '-qm', 'on')
    await expect(restore()).rejects.toMatchObject({ code: 'wrong-base' })
    expect(readFileSync(join(other, 'mine'), 'utf8')).toBe('x')
  })
})
