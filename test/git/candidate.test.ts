import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Killable, killable } from './support/killable.js'
import { rigOf, type Sandbox, sandbox, type UserConfig } from './support/sandbox.js'

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

/** A clone with a branch `work`, made in a worktree; the clone itself stays on main. */
async function start(box: Sandbox) {
  const clone = box.makeClone()
  const rig = rigOf(clone)
  const work = join(box.root, 'work')
  const base = await box.repositories.targetHead(rig)
  await box.repositories.addWorktree({ rig, path: work, branch: 'gt/toast/x', base })
  const path = join(box.root, 'candidate')
  const commit = (where: string, files: Record<string, string | undefined>, message = 'change') => {
    for (const [name, content] of Object.entries(files)) {
      if (content === undefined) box.git(where, 'rm', '-q', name)
      else box.write(join(where, name), content)
    }
    box.git(where, 'add', '-A')
    box.git(where, 'commit', '-q', '--allow-empty', '-m', message)
    return box.git(where, 'rev-parse', 'HEAD')
  }
  const prepare = async (head: string) => {
    const target = await box.repositories.targetHead(rig)
    return box.repositories.prepareCandidate({ rig, head, target, path })
  }
  const left = () =>
    box.git(clone, 'worktree', 'list', '--porcelain').includes('candidate') || existsSync(path)
  return { clone, rig, work, base, path, commit, prepare, left }
}

describe('prepareCandidate', () => {
  test('on top already: the branch as it stands, with its merges', async () => {
    using box = sandbox()
    const { work, commit, prepare, path } = await start(box)
    commit(work, { x: '1' })
    const head = commit(work, { y: '2' })
    expect(await prepare(head)).toEqual({ kind: 'ready', sha: head, commits: 2 })
    expect(readFileSync(join(path, 'y'), 'utf8')).toBe('2')
  })

  test.each<UserConfig>(['plain', 'hostile'])(
    'a fixup, an empty and a multi-line commit stay as they are (%s)',
    async (config) => {
      using box = sandbox(config)
      const { clone, work, commit, prepare } = await start(box)
      commit(work, { x: '1' }, 'one')
      commit(work, { x: '2' }, 'fixup! one\n\n# not a comment\n\nlast')
      const head = commit(work, {}, 'empty')
      box.git(work, 'branch', 'bystander', 'HEAD~1')
      const bystander = box.git(work, 'rev-parse', 'bystander')
      commit(clone, { y: '1' })
      const candidate = await prepare(head)
      if (candidate.kind !== 'ready') throw new Error(JSON.stringify(candidate))
      expect(candidate.commits).toBe(3)
      const log = (sha: string) =>
        box.git(
          clone,
          'log',
          '-3',
          '--no-show-signature',
          '--no-color',
          '--date=raw',
          '--format=%an %ae %ad%n%B',
          sha,
        )
      expect(log(candidate.sha)).toBe(log(head))
      expect(box.git(work, 'rev-parse', 'bystander')).toBe(bystander)
      expect(box.git(clone, 'stash', 'list')).toBe('')
    },
  )

  test('empty: merged, or picked by somebody one by one', async () => {
    using box = sandbox()
    const { clone, work, commit, prepare, left } = await start(box)
    const head = commit(work, { x: '1' })
    commit(clone, { y: '1' })
    box.git(clone, 'cherry-pick', head)
    expect(await prepare(head)).toEqual({ kind: 'empty' })
    expect(left()).toBe(false)
    expect(await prepare(box.git(clone, 'rev-parse', 'HEAD~1'))).toEqual({ kind: 'empty' })
    expect(left()).toBe(false)
  })

  test('a conflict names files and shows hunks, and nothing is left', async () => {
    using box = sandbox('hostile')
    const { clone, work, commit, prepare, left } = await start(box)
    const head = commit(
      work,
      { 'a.txt': 'agent\n', 'b.txt': undefined, 'dir/c.txt': 'x\n'.repeat(5000) },
      'agent work',
    )
    commit(clone, { 'a.txt': 'user\n', 'b.txt': 'kept\n', 'dir/c.txt': 'y\n'.repeat(5000) })
    const candidate = await prepare(head)
    if (candidate.kind !== 'conflict') throw new Error(candidate.kind)
    expect(candidate.files).toEqual(['a.txt', 'b.txt', 'dir/c.txt'])
    expect(candidate.detail).toMatch(/^commit [0-9a-f]+ "agent work" does not apply on top of/)
    expect(candidate.detail).toMatch(/<<<<<<<.*user.*=======.*agent.*>>>>>>>/s)
    expect(candidate.detail).toMatch(/b\.txt: deleted by the branch, changed by the other side/)
    expect(Buffer.byteLength(candidate.detail)).toBeLessThanOrEqual(4096)
    expect(left()).toBe(false)
    expect(readdirSync(join(clone, '.git/rr-cache'))).toEqual([])
  })

  test("the resolution in an agent's merge is not lost", async () => {
    using box = sandbox('hostile')
    const { clone, work, commit, prepare, path } = await start(box)
    commit(work, { 'a.txt': 'agent\n' })
    commit(clone, { 'a.txt': 'user\n' })
    expect(() => box.git(work, 'merge', '--no-ff', 'main')).toThrow()
    const head = commit(work, { 'a.txt': 'both\n' }, 'merge main')
    const target = commit(clone, { other: 'x' })
    const candidate = await prepare(head)
    if (candidate.kind !== 'ready') throw new Error(JSON.stringify(candidate))
    expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('both\n')
    expect(readFileSync(join(path, 'other'), 'utf8')).toBe('x')
    expect(box.git(clone, 'rev-list', '--parents', '-n1', candidate.sha)).toBe(
      `${candidate.sha} ${target} ${head}`,
    )
  })

  test('without a configured identity the committer is the author', async () => {
    using box = sandbox()
    const { clone, work, commit, prepare } = await start(box)
    const head = commit(work, { x: '1' })
    commit(clone, { y: '1' })
    box.write(join(box.env.HOME ?? '', '.gitconfig'), '[user]\n\tuseConfigOnly = true\n')
    const candidate = await prepare(head)
    if (candidate.kind !== 'ready') throw new Error(JSON.stringify(candidate))
    expect(box.git(clone, 'log', '-1', '--format=%an %cn %ce', candidate.sha)).toBe(
      'Ann User Ann User ann@example.com',
    )
  })

  test('signs when that needs no person', async () => {
    using box = sandbox()
    const { clone, work, commit, prepare } = await start(box)
    const head = commit(work, { x: '1' })
    commit(clone, { y: '1' })
    const key = join(box.root, 'key')
    const { execFileSync } = await import('node:child_process')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const config = join(box.env.HOME ?? '', '.gitconfig')
    const signing = `[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n[user]\n\tsigningKey = "${key}"\n`
    box.write(config, `${readFileSync(config, 'utf8')}${signing}`)
    const candidate = await prepare(head)
    if (candidate.kind !== 'ready') throw new Error(JSON.stringify(candidate))
    expect(box.git(clone, 'cat-file', 'commit', candidate.sha)).toMatch(/BEGIN SSH SIGNATURE/)
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'secret', '-f', key])
    const unsigned = await prepare(head)
    if (unsigned.kind !== 'ready') throw new Error(JSON.stringify(unsigned))
    expect(box.git(clone, 'cat-file', 'commit', unsigned.sha)).not.toMatch(/SIGNATURE/)
  })

  test('a stale one is replaced, also after a kill at any step; a worktree of somebody is not', async () => {
    using box = sandbox()
    const { clone, rig, work, commit, prepare, path, left } = await start(box)
    const head = commit(work, { x: '1' })
    const target = commit(clone, { y: '1' })
    for (let killAt = 1; ; killAt++) {
      const outcome = await child.run(box, 'prepareCandidate', [{ rig, head, target, path }], { killAt })
      expect((await prepare(head)).kind).toBe('ready')
      if (!outcome.killed) break
    }
    await box.repositories.dropCandidate(rig, path)
    await box.repositories.dropCandidate(rig, path)
    expect(left()).toBe(false)
    const inTheWay = { code: 'path-exists' }
    await expect(box.repositories.dropCandidate(rig, work)).rejects.toMatchObject(inTheWay)
    await expect(box.repositories.prepareCandidate({ rig, head, target, path: work })).rejects.toMatchObject(
      inTheWay,
    )
    mkdirSync(path)
    box.write(join(path, 'file'), 'x')
    await expect(prepare(head)).rejects.toMatchObject(inTheWay)
    await expect(box.repositories.dropCandidate(rig, path)).rejects.toMatchObject(inTheWay)
  })

  test('commitsHolding finds a file that came and went', async () => {
    using box = sandbox('hostile')
    const { rig, work, commit, base } = await start(box)
    commit(work, { 'passing ü': '<!-- ours -->\nx' })
    const came = box.git(work, 'rev-parse', 'HEAD')
    commit(work, { 'passing ü': undefined })
    commit(work, { 'passing ü': 'theirs <!-- ours -->' })
    const head = box.git(work, 'rev-parse', 'HEAD')
    const query = { base, head, files: ['passing ü', 'absent'], startsWith: '<!-- ours' }
    expect(await box.repositories.commitsHolding(rig, query)).toEqual([{ commit: came, file: 'passing ü' }])
    expect(await box.repositories.commitsHolding(rig, { ...query, base: head })).toEqual([])
  })
})
