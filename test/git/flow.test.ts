import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { agentId } from '../../src/domain/ids.js'
import { rigOf, sandbox, type UserConfig } from './support/sandbox.js'

const toast = agentId('proj', 'toast')

describe.each<UserConfig>(['plain', 'hostile'])('with a %s git configuration', (config) => {
  test.each(['path', 'url'] as const)('a branch of a %s rig goes from worktree to target', async (kind) => {
    using box = sandbox(config)
    const source = kind === 'path' ? box.makeClone() : box.makeRemote().url
    const rig = rigOf(source)
    const { repositories } = box
    const prepared = await repositories.prepare(rig)
    expect(prepared.defaultBranch).toBe('main')
    const base = await repositories.targetHead(rig)
    expect(base).toBe(prepared.head)

    const path = join(box.root, 'work trees', '-toast ü')
    expect(await repositories.addWorktree({ rig, path, branch: 'gt/toast/proj-1', base })).toEqual({
      head: base,
    })
    expect(await repositories.worktreeState(rig, path)).toEqual({
      branch: 'gt/toast/proj-1',
      head: base,
      dirty: [],
      ahead: 0,
    })
    box.write(join(path, 'new ü.txt'), 'x\ny\n')
    box.write(join(path, 'a.txt'), 'one\n2\nthree\n')
    expect((await repositories.worktreeState(rig, path)).dirty).toEqual([' M a.txt', '?? new ü.txt'])
    expect(await repositories.diffStat(path, base)).toEqual({ added: 3, removed: 1, commits: 0 })
    box.git(path, 'add', '-A')
    box.git(path, 'commit', '-q', '--author=Toast <toast@example.com>', '-m', 'work\n\n# kept line')
    const head = box.git(path, 'rev-parse', 'HEAD')
    expect((await repositories.worktreeState(rig, path)).ahead).toBe(1)
    const query = { base, head, files: ['a.txt', 'new ü.txt', 'absent'], startsWith: 'x\n' }
    expect(await repositories.commitsHolding(rig, query)).toEqual([{ commit: head, file: 'new ü.txt' }])
    expect(await repositories.isTracked(path, 'a.txt')).toBe(true)
    expect(await repositories.isTracked(path, '*.txt')).toBe(false)

    expect((await repositories.publish(rig, 'gt/toast/proj-1', head)).sha).toBe(head)

    const other = join(box.root, 'other')
    if (kind === 'url') box.git(box.root, 'clone', '-q', source, other)
    const theirs = kind === 'url' ? other : source
    box.write(join(theirs, 'b.txt'), 'changed by the user\n')
    box.git(theirs, 'commit', '-q', '-am', 'user')
    if (kind === 'url') box.git(theirs, 'push', '-q', 'origin', 'main')
    const target = await repositories.targetHead(rig)
    expect(target).not.toBe(base)

    const candidatePath = join(box.root, 'candidate')
    const candidate = await repositories.prepareCandidate({ rig, head, target, path: candidatePath })
    if (candidate.kind !== 'ready') throw new Error(JSON.stringify(candidate))
    expect(candidate.commits).toBe(1)
    expect(readFileSync(join(candidatePath, 'b.txt'), 'utf8')).toBe('changed by the user\n')
    expect(
      box.git(candidatePath, 'log', '-1', '--no-show-signature', '--no-color', '--format=%an|%cn|%B'),
    ).toBe('Toast|Ann User|work\n\n# kept line')
    expect(await repositories.isLanded(rig, candidate.sha)).toBe(false)
    const landing = await repositories.land({ rig, candidate: candidate.sha, expected: target })
    expect(landing).toMatchObject({ kind: 'landed', sha: candidate.sha })
    expect(await repositories.isLanded(rig, candidate.sha)).toBe(true)
    expect(await repositories.land({ rig, candidate: candidate.sha, expected: target })).toMatchObject({
      kind: 'landed',
    })
    if (kind === 'path') {
      expect(readFileSync(join(source, 'new ü.txt'), 'utf8')).toBe('x\ny\n')
      expect(box.git(source, 'status', '--porcelain', '--untracked-files=all')).toBe('')
    }
    await repositories.dropCandidate(rig, candidatePath)
    expect(existsSync(candidatePath)).toBe(false)

    const request = { rig, path, agent: toast, reason: 'done', at: new Date('2025-01-02T03:04:05Z') }
    expect(await repositories.salvage({ ...request, safeOn: head })).toMatchObject({ kind: 'nothing', head })
    const salvage = await repositories.salvage(request)
    if (salvage.kind !== 'saved') throw new Error('not saved')
    expect(salvage.ref).toBe('refs/gt/salvage/proj/toast/20250102T030405Z')
    expect(await repositories.listSalvage(rig)).toEqual([
      {
        ref: salvage.ref,
        sha: salvage.sha,
        at: '2025-01-02T03:04:05.000Z',
        subject: 'salvage proj/toast: done',
      },
    ])
    await repositories.removeWorktree({ rig, path, salvage })
    await repositories.removeWorktree({ rig, path, salvage })
    expect(existsSync(path)).toBe(false)
    await repositories.deleteBranch(rig, 'gt/toast/proj-1', head)
    await repositories.deleteBranch(rig, 'gt/toast/proj-1', head)
  })
})
