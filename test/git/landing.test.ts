import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Killable, killable } from './support/killable.js'
import { rigOf, type Sandbox, sandbox, script, type UserConfig } from './support/sandbox.js'

let child: Killable
beforeAll(async () => {
  child = await killable()
})
afterAll(() => child[Symbol.dispose]())

/** A clone on main and a candidate on top of it that adds, changes, deletes and moves files. */
async function start(box: Sandbox) {
  const clone = box.makeClone()
  const rig = rigOf(clone)
  box.write(join(clone, 'gone/old.txt'), 'old\n')
  box.write(join(clone, 'swap'), 'a file\n')
  box.write(join(clone, '.gitignore'), 'ignored\n')
  box.git(clone, 'add', '-A')
  box.git(clone, 'commit', '-qm', 'more')
  const expected = await box.repositories.targetHead(rig)
  const work = join(box.root, 'work')
  await box.repositories.addWorktree({ rig, path: work, branch: 'gt/toast/x', base: expected })
  box.write(join(work, 'a.txt'), 'one\nTWO\nthree\n')
  box.write(join(work, 'new/deep ü/file'), 'new\n')
  box.git(work, 'rm', '-q', 'gone/old.txt', 'swap')
  box.write(join(work, 'swap/inner'), 'a folder now\n')
  symlinkSync('a.txt', join(work, 'link'))
  box.git(work, 'add', '-A')
  box.git(work, 'commit', '-qm', 'work')
  const candidate = box.git(work, 'rev-parse', 'HEAD')
  const main = () => box.git(clone, 'rev-parse', 'main')
  const status = (where = clone) =>
    box.git(where, 'status', '--porcelain', '--untracked-files=all', '--ignored')
  const request = { rig, candidate, expected }
  return { clone, rig, work, expected, candidate, main, status, request }
}

function expectNothingOfOurs(box: Sandbox, clone: string) {
  expect(box.git(clone, 'for-each-ref', 'refs/gt/landing')).toBe('')
  expect(
    readdirSync(join(clone, '.git')).filter((name) => name.startsWith('gt-') || name === 'index.lock'),
  ).toEqual([])
}

const STEPS = [
  'landing-locked',
  'landing-intent',
  'landing-index-locked',
  'landing-index-copied',
  'landing-files',
  'landing-ref',
  'landing-index',
  'landing-unlocked',
  'landing-done',
]

describe.each<UserConfig>(['plain', 'hostile'])('land in a clone, %s configuration', (config) => {
  test('the clean checkout follows, and any other of the same branch', async () => {
    using box = sandbox(config)
    const { clone, candidate, main, status, request } = await start(box)
    const second = join(box.root, 'second checkout')
    box.git(clone, 'worktree', 'add', '-q', '--force', second, 'main')
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
    expect(main()).toBe(candidate)
    for (const where of [clone, second]) {
      expect(status(where)).toBe('')
      expect(readFileSync(join(where, 'swap/inner'), 'utf8')).toBe('a folder now\n')
      expect(existsSync(join(where, 'gone'))).toBe(false)
    }
    expectNothingOfOurs(box, clone)
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', how: 'main had it already' })
  })

  test('without a checkout only the branch moves', async () => {
    using box = sandbox(config)
    const { clone, candidate, main, status, request } = await start(box)
    box.git(clone, 'switch', '-q', '-c', 'elsewhere')
    box.write(join(clone, 'a.txt'), 'dirty')
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed' })
    expect(main()).toBe(candidate)
    expect(status()).toBe(' M a.txt')
  })
})

describe('land in a clone', () => {
  test('a bare one', async () => {
    using box = sandbox('hostile')
    const { path } = box.makeRemote()
    const rig = rigOf(path)
    const { head: expected } = await box.repositories.prepare(rig)
    const work = join(box.root, 'w')
    await box.repositories.addWorktree({ rig, path: work, branch: 'gt/a/x', base: expected })
    box.git(work, 'commit', '-q', '--allow-empty', '-m', 'x')
    const candidate = box.git(work, 'rev-parse', 'HEAD')
    expect(await box.repositories.land({ rig, candidate, expected })).toMatchObject({ kind: 'landed' })
    expect(await box.repositories.targetHead(rig)).toBe(candidate)
  })

  type Way = [string, (box: Sandbox, clone: string) => void, RegExp]
  const ways: Way[] = [
    [
      'an unstaged change',
      (box, clone) => box.write(join(clone, 'b.txt'), 'mine'),
      /uncommitted changes in b\.txt/,
    ],
    [
      'a staged file',
      (box, clone) => {
        box.write(join(clone, 's'), 'mine')
        box.git(clone, 'add', 's')
      },
      /uncommitted changes in s/,
    ],
    ['a deleted file', (_, clone) => rmSync(join(clone, 'b.txt')), /uncommitted changes in b\.txt/],
    [
      'many of them',
      (box, clone) => {
        for (let n = 0; n < 9; n++) box.write(join(clone, `f${n}`), 'x')
        box.git(clone, 'add', '-A')
      },
      /f0, f1, f2, f3, f4 and 4 more/,
    ],
    [
      'an untracked file in the way',
      (box, clone) => box.write(join(clone, 'new/deep ü/file'), 'mine'),
      /untracked files in the way: new\/deep ü\/file/,
    ],
    [
      'an ignored file in the way',
      (box, clone) => {
        box.write(join(clone, '.git/info/exclude'), 'link\n')
        box.write(join(clone, 'link'), 'mine')
      },
      /untracked files in the way: link/,
    ],
    [
      'an untracked file where a folder has to be',
      (box, clone) => box.write(join(clone, 'new'), 'mine'),
      /untracked files in the way: new/,
    ],
    [
      'a change that git was told to overlook',
      (box, clone) => {
        box.git(clone, 'update-index', '--assume-unchanged', 'a.txt')
        box.write(join(clone, 'a.txt'), 'mine')
      },
      /a\.txt/,
    ],
    [
      'a merge in progress',
      (box, clone) => {
        box.git(clone, 'branch', 'side', 'main~1')
        box.git(
          clone,
          'merge',
          '-q',
          '--no-ff',
          '--no-commit',
          box.git(clone, 'commit-tree', '-p', 'main', '-m', 'x', 'main^{tree}'),
        )
      },
      /a merge is in progress/,
    ],
    [
      'a rebase of it in progress',
      (box, clone) => {
        expect(() => box.git(clone, 'rebase', '--exec', 'false', 'main~1')).toThrow()
      },
      /a rebase is in progress/,
    ],
    [
      'a lock of another git',
      (_, clone) => writeFileSync(join(clone, '.git/index.lock'), ''),
      /another git process holds/,
    ],
  ]
  test.each(ways)('%s blocks and is left as it is', async (_, make, why) => {
    using box = sandbox()
    const { clone, expected, main, status, request } = await start(box)
    make(box, clone)
    const before = status()
    const landing = await box.again(undefined, 'hurry').land(request)
    expect(landing).toMatchObject({ kind: 'blocked' })
    expect(landing.kind === 'blocked' && landing.why).toMatch(why)
    expect(landing.kind === 'blocked' && landing.why).toContain(clone)
    expect([main(), status()]).toEqual([expected, before])
    rmSync(join(clone, '.git/index.lock'), { force: true })
    expectNothingOfOurs(box, clone)
  })

  test('other untracked and ignored files, and a touched one, do not', async () => {
    using box = sandbox()
    const { clone, candidate, request } = await start(box)
    box.write(join(clone, 'notes'), 'mine')
    box.write(join(clone, 'new/mine'), 'mine')
    box.write(join(clone, 'ignored'), 'mine')
    box.write(join(clone, 'a.txt'), readFileSync(join(clone, 'a.txt')))
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
    expect(['notes', 'new/mine', 'ignored'].map((name) => readFileSync(join(clone, name), 'utf8'))).toEqual([
      'mine',
      'mine',
      'mine',
    ])
  })

  test('moved: the user committed, before or in between', async () => {
    using box = sandbox()
    const { clone, expected, candidate, rig, main, status, request } = await start(box)
    for (const at of STEPS.slice(0, 5)) {
      const theirs = () => box.git(clone, 'commit-tree', '-p', expected, '-m', at, `${expected}^{tree}`)
      const repositories = box.again((step) => {
        if (step === at) box.git(clone, 'update-ref', 'refs/heads/main', theirs())
      })
      const landing = await repositories.land(request)
      expect(landing).toEqual({ kind: 'moved', actual: main() })
      expect(main()).not.toBe(expected)
      expect(status()).toBe('')
      expectNothingOfOurs(box, clone)
      box.git(clone, 'update-ref', 'refs/heads/main', expected)
    }
    await expect(
      box.repositories.land({ rig, candidate: expected, expected: candidate }),
    ).resolves.toMatchObject({ kind: 'landed' })
    const aside = box.git(clone, 'commit-tree', '-m', 'aside', `${expected}^{tree}`)
    await expect(box.repositories.land({ rig, candidate: aside, expected })).rejects.toMatchObject({
      code: 'not-fast-forward',
    })
  })

  test('while files follow, the user cannot commit half of it', async () => {
    using box = sandbox()
    const { clone, candidate, main, request } = await start(box)
    const refused: string[] = []
    const repositories = box.again((step) => {
      try {
        if (step.startsWith('landing-index') || step === 'landing-files')
          box.git(clone, 'commit', '-aqm', 'user')
      } catch {
        refused.push(step)
      }
    })
    expect(await repositories.land(request)).toMatchObject({ kind: 'landed' })
    expect(refused).toEqual([
      'landing-index-locked',
      'landing-index-copied',
      'landing-files',
      'landing-index',
    ])
    expect(main()).toBe(candidate)
  })
})

describe('a landing that was killed', () => {
  test('runs through the steps that the tests below kill it at', async () => {
    using box = sandbox()
    const { request } = await start(box)
    expect((await child.run(box, 'land', [request])).steps).toEqual(STEPS)
  })

  test.each(STEPS.map((step, n) => [step, n + 1] as const))(
    'at %s, is finished by the next',
    async (_, killAt) => {
      using box = sandbox()
      const { clone, candidate, main, status, request } = await start(box)
      expect((await child.run(box, 'land', [request], { killAt })).killed).toBe(true)
      expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
      expect(main()).toBe(candidate)
      expect(status()).toBe('')
      expect(lstatSync(join(clone, 'link')).isSymbolicLink()).toBe(true)
      expectNothingOfOurs(box, clone)
    },
  )

  test.each(STEPS.slice(3, 5).map((step, n) => [step, n + 4] as const))(
    'at %s, keeps what the user did since',
    async (_, killAt) => {
      using box = sandbox()
      const { clone, expected, main, request } = await start(box)
      await child.run(box, 'land', [request], { killAt })
      box.write(join(clone, 'a.txt'), 'mine')
      box.write(join(clone, 'b.txt'), 'mine too')
      const landing = await box.repositories.land(request)
      expect(landing).toMatchObject({
        kind: 'blocked',
        why: expect.stringContaining('uncommitted changes in a.txt, b.txt'),
      })
      expect(main()).toBe(expected)
      expect(box.git(clone, 'status', '--porcelain', '--untracked-files=all')).toBe(' M a.txt\n M b.txt')
      expect(readFileSync(join(clone, 'a.txt'), 'utf8')).toBe('mine')
      expectNothingOfOurs(box, clone)
    },
  )

  test('in the middle of writing files: missing, half written, not yet begun', async () => {
    using box = sandbox()
    const { clone, candidate, status, request } = await start(box)
    await child.run(box, 'land', [request], { killAt: 4 })
    rmSync(join(clone, 'swap'))
    box.write(join(clone, 'a.txt'), 'one\nTW')
    box.write(join(clone, 'new/deep ü/file'), '')
    rmSync(join(clone, 'gone'), { recursive: true })
    writeFileSync(join(clone, '.git/gt-landing-index.lock'), '')
    expect(await box.again(undefined, 'hurry').land(request)).toMatchObject({
      kind: 'landed',
      sha: candidate,
    })
    expect(status()).toBe('')
    expectNothingOfOurs(box, clone)
  })

  test('together with its git, which left locks on refs', async () => {
    using box = sandbox()
    const { clone, candidate, status, request } = await start(box)
    await child.run(box, 'land', [request], { killAt: 5 })
    for (const side of ['from', 'to']) box.write(join(clone, `.git/refs/gt/landing/${side}/main.lock`), '')
    box.write(join(clone, '.git/refs/heads/main.lock'), `${candidate}\n`)
    expect(await box.again(undefined, 'hurry').land(request)).toMatchObject({ kind: 'landed' })
    expect(status()).toBe('')
    box.write(join(clone, '.git/refs/heads/main.lock'), '')
    box.git(clone, 'pack-refs', '--all')
    const again = box
      .again(undefined, 'hurry')
      .land({ ...request, candidate: request.expected, expected: request.expected })
    await expect(again).resolves.toMatchObject({ kind: 'landed' })
    expect(existsSync(join(clone, '.git/refs/heads/main.lock'))).toBe(true)
  })

  test.each(['reset', 'stash', 'commit'] as const)(
    'and cleaned up by the user with %s stays as the user made it',
    async (way) => {
      using box = sandbox()
      const { clone, main, status, request } = await start(box)
      await child.run(box, 'land', [request], { killAt: 5 })
      rmSync(join(clone, '.git/index.lock'))
      if (way === 'reset') box.git(clone, 'reset', '-q', '--hard')
      if (way === 'stash') box.git(clone, 'stash', '--include-untracked')
      if (way === 'commit') {
        box.git(clone, 'add', '-A')
        box.git(clone, 'commit', '-qm', 'user took it')
      }
      const before = main()
      const landing = await box.repositories.land(request)
      if (way === 'commit') expect([landing, main()]).toEqual([{ kind: 'moved', actual: before }, before])
      if (way === 'reset') expect(landing).toMatchObject({ kind: 'landed' })
      if (way === 'stash') expect(box.git(clone, 'stash', 'list')).not.toBe('')
      expect(way === 'reset' || way === 'stash' || status() === '').toBe(true)
      expect(box.git(clone, 'status', '--porcelain', '--untracked-files=no')).toBe('')
      expectNothingOfOurs(box, clone)
    },
  )

  test('after the branch moved, and the lock was removed by hand, only the index is brought up', async () => {
    using box = sandbox()
    const { clone, candidate, main, request } = await start(box)
    await child.run(box, 'land', [request], { killAt: 6 })
    rmSync(join(clone, '.git/index.lock'))
    box.write(join(clone, 'b.txt'), 'mine')
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed' })
    expect(main()).toBe(candidate)
    expect(box.git(clone, 'status', '--porcelain')).toBe(' M b.txt')
  })

  test('and then another candidate is landed instead', async () => {
    using box = sandbox()
    const { clone, expected, rig, main, status, work, request } = await start(box)
    await child.run(box, 'land', [request], { killAt: 5 })
    box.git(work, 'reset', '-q', '--hard', expected)
    box.write(join(work, 'b.txt'), 'another\n')
    box.git(work, 'commit', '-aqm', 'another')
    const candidate = box.git(work, 'rev-parse', 'HEAD')
    expect(await box.repositories.land({ rig, candidate, expected })).toMatchObject({
      kind: 'landed',
      sha: candidate,
    })
    expect([main(), status()]).toEqual([candidate, ''])
    expect(existsSync(join(clone, 'new'))).toBe(false)
  })
})

describe('land on a remote', () => {
  async function remote(box: Sandbox) {
    const { path, url } = box.makeRemote()
    const rig = rigOf(url)
    const { head: expected } = await box.repositories.prepare(rig)
    const work = join(box.root, 'work')
    await box.repositories.addWorktree({ rig, path: work, branch: 'gt/toast/x', base: expected })
    box.git(work, 'commit', '-q', '--allow-empty', '-m', 'work')
    const candidate = box.git(work, 'rev-parse', 'HEAD')
    const push = () => {
      const other = join(box.root, 'other')
      box.git(box.root, 'clone', '-q', url, other)
      box.git(other, 'commit', '-q', '--allow-empty', '-m', 'theirs')
      box.git(other, 'push', '-q', 'origin', 'main')
      return box.git(other, 'rev-parse', 'HEAD')
    }
    const main = () => box.git(box.root, `--git-dir=${path}`, 'rev-parse', 'main')
    return { path, rig, expected, candidate, work, push, main, request: { rig, candidate, expected } }
  }

  test('pushes, reads back, and can be asked again after more was pushed on top', async () => {
    using box = sandbox('hostile')
    const { rig, candidate, main, request, push } = await remote(box)
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
    expect(main()).toBe(candidate)
    expect(await box.repositories.targetHead(rig, { offline: true })).toBe(candidate)
    push()
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
    expect(await box.repositories.isLanded(rig, candidate)).toBe(true)
    expect(await box.repositories.isLanded(rig, 'f'.repeat(40))).toBe(false)
  })

  test('moved: before, and between the look and the push', async () => {
    using box = sandbox()
    const { candidate, main, request, push } = await remote(box)
    let theirs = ''
    const repositories = box.again((step) => {
      if (step === 'landing-checked') theirs = push()
    })
    expect(await repositories.land(request)).toEqual({ kind: 'moved', actual: theirs })
    expect(main()).toBe(theirs)
    expect(await box.repositories.land(request)).toEqual({ kind: 'moved', actual: theirs })
    expect(candidate).not.toBe(theirs)
  })

  test('blocked by a hook, in its words', async () => {
    using box = sandbox()
    const { path, expected, main, request } = await remote(box)
    script(join(path, 'hooks/pre-receive'), 'echo "main is protected: open a pull request" >&2; exit 1')
    const landing = await box.repositories.land(request)
    expect(landing).toMatchObject({
      kind: 'blocked',
      why: expect.stringContaining('main is protected: open a pull request'),
    })
    expect(main()).toBe(expected)
  })

  test('never anything but forward', async () => {
    using box = sandbox()
    const { rig, expected, candidate, work, main } = await remote(box)
    await box.repositories.land({ rig, candidate, expected })
    const aside = box.git(work, 'commit-tree', '-p', expected, '-m', 'aside', `${expected}^{tree}`)
    await expect(box.repositories.land({ rig, candidate: aside, expected: candidate })).rejects.toMatchObject(
      { code: 'not-fast-forward' },
    )
    expect(main()).toBe(candidate)
  })

  test('killed before and after the push', async () => {
    using box = sandbox()
    const { candidate, main, request } = await remote(box)
    for (const killAt of [1, 2])
      expect((await child.run(box, 'land', [request], { killAt })).killed).toBe(true)
    expect(await box.repositories.land(request)).toMatchObject({ kind: 'landed', sha: candidate })
    expect(main()).toBe(candidate)
  })

  test('an unreachable remote is an external failure, an absent branch is not found', async () => {
    using box = sandbox()
    const { path, rig, request } = await remote(box)
    await expect(box.repositories.targetHead({ ...rig, branch: 'nope' })).rejects.toMatchObject({
      code: 'branch-not-found',
    })
    rmSync(path, { recursive: true })
    await expect(box.repositories.land(request)).rejects.toMatchObject({
      name: 'ExternalError',
      code: 'remote-unreachable',
    })
    await expect(box.repositories.isLanded(rig, request.candidate)).rejects.toMatchObject({
      name: 'ExternalError',
    })
  })
})
