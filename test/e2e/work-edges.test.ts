import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../support/run-gt.js'
import { testTown, until } from '../support/test-town.js'
import {
  bead,
  commitFile,
  createBeads,
  expectRefusal,
  git,
  handIn,
  queueLog,
  slingOne,
  status,
  untilClosed,
  untilQueueRests,
  workTown,
} from './support-work.js'

describe('a sling that fails late', () => {
  it('does not undo the work of an agent that has handed in already', async () => {
    await using made = await workTown({
      toml: `
[runtimes.quick]
command = ["sh", "-c", "echo x > q.txt; git add q.txt; git commit -qm quick; gt done"]
instruction_file = "none"
ready = { kind = "screen", text = "a marker that it never shows" }
`,
    })
    const { town, clone } = made
    // Staged: the merge waits for the person.
    writeFileSync(join(clone, 'same.txt'), 'mine\n')
    town.git(clone, 'add', 'same.txt')
    await createBeads(town, 'q-1')
    const slung = await slingOne(town, 'q-1', 'proj', '--agent', 'quick')
    expect(slung.agent).toBe('proj/toast')
    expect(await bead(town, 'q-1')).toMatchObject({ status: 'in_review' })
    await untilQueueRests(town)
    expect(await town.ok('status')).toContain('waits')
    town.git(clone, 'reset', '--hard', '--quiet')
    await town.ok('mq', 'retry', 'q-1')
    await untilClosed(town, 'q-1')
    expect(await town.ok('bead', 'ready')).not.toContain('q-1')
  })
})

describe('gates', () => {
  it('that change the tree have not judged what would land', async () => {
    await using made = await workTown({
      rigArgs: ['--gate', 'echo fixed > same.txt', '--gate', 'grep -q fixed same.txt'],
    })
    const { town, clone } = made
    await createBeads(town, 'g-1')
    const { worktree, agent } = await slingOne(town, 'g-1', 'proj')
    commitFile(town, worktree, 'same.txt', 'broken\n')
    await handIn(town, agent)
    await town.ok('mq', 'run')
    expect(await bead(town, 'g-1')).toMatchObject({ status: 'hooked' })
    expect(await town.ok('mq', 'show', 'g-1')).toContain('changed the tree it was to judge')
    expect(git(town, clone, 'log', '--format=%s')).toBe('first')
  })

  it('of a runner that was killed do not run beside the next ones', async () => {
    await using made = await workTown({
      rigArgs: [
        '--gate',
        'test -e ../../../second || { (setsid sleep 6543 &) ; touch ../../../first; sleep 6544; }',
      ],
    })
    const { town } = made
    await createBeads(town, 'k-1')
    const { worktree, agent } = await slingOne(town, 'k-1', 'proj')
    commitFile(town, worktree, 'a.txt', 'x\n')
    await handIn(town, agent)
    const sleepers = () => town.processes().filter(({ command }) => /sleep 654[34]/.test(command))
    const first = town.gt('mq', 'run')
    await until('the gate to run', () => (sleepers().length >= 2 ? true : undefined))
    const runner = town.processes().find(({ command }) => / mq run/.test(command))
    process.kill(runner?.pid ?? 0, 'SIGKILL')
    await first
    expect(sleepers()).not.toEqual([])
    writeFileSync(join(town.root, 'second'), '')
    await town.ok('mq', 'run')
    expect(sleepers()).toEqual([])
    expect(await bead(town, 'k-1')).toMatchObject({ status: 'closed' })
  })
})

describe('done', () => {
  it('after an amend hands in the newest head, and only that one lands', async () => {
    await using made = await workTown()
    const { town, clone } = made
    await createBeads(town, 'a-1')
    const { worktree, agent } = await slingOne(town, 'a-1', 'proj')
    commitFile(town, worktree, 'a.txt', 'first try\n')
    await handIn(town, agent)
    writeFileSync(join(worktree, 'a.txt'), 'second try\n')
    town.git(worktree, 'commit', '--quiet', '--amend', '-a', '-m', 'second try')
    await town.ok('done', '--as', agent)
    await untilClosed(town, 'a-1')
    expect(git(town, clone, 'log', '--format=%s').split('\n')).toEqual(['second try', 'first'])
    expect(await town.ok('mq', 'list', '--all')).toContain('superseded')
  })
})

describe('what is not where it was', () => {
  it('a rig whose clone is gone is said, and nothing is half done', async () => {
    await using made = await workTown()
    const { town, clone } = made
    await createBeads(town, 'r-1')
    const { agent } = await slingOne(town, 'r-1', 'proj')
    renameSync(clone, `${clone}-moved`)
    expect((await status(town)).problems.join('\n')).toContain('the clone of rig proj is gone')
    expectRefusal(await town.gt('unsling', 'r-1'), { exitCode: 4, says: /nothing was done/ })
    expect((await status(town)).agents.find((one) => one.id === agent)?.state).not.toBe('stopped')
    renameSync(`${clone}-moved`, clone)
    await town.ok('unsling', 'r-1')
  })

  it('files that git knows no longer are never left unsaid', async () => {
    await using made = await workTown()
    const { town, clone } = made
    await createBeads(town, 'w-1')
    const { worktree } = await slingOne(town, 'w-1', 'proj')
    writeFileSync(join(worktree, 'precious.txt'), 'x\n')
    rmSync(join(worktree, '.git'))
    town.git(clone, 'worktree', 'prune')
    const ran = await town.gt('unsling', 'w-1')
    expectRefusal(ran, { exitCode: 5, says: /files are in it: they are not deleted/ })
    expect(await bead(town, 'w-1')).toMatchObject({ status: 'hooked' })
    rmSync(worktree, { recursive: true })
    await town.ok('unsling', 'w-1')
  })

  it('a folder that was removed under a command does not keep it from answering', async () => {
    await using made = await workTown()
    const { town } = made
    const gone = join(town.dir, 'gone')
    mkdirSync(gone)
    const ran = await run('/bin/sh', ['-c', `rmdir '${gone}'; exec gt status --json --town '${town.root}'`], {
      cwd: gone,
      env: { ...town.env, PATH: `${join(import.meta.dirname, '../../bin')}:${town.env.PATH}` },
    })
    expect(ran, ran.stderr).toMatchObject({ exitCode: 0 })
    expect(JSON.parse(ran.stdout)).toHaveProperty('agents')
    expect(() => rmdirSync(gone)).toThrow()
  })
})

it('a URL with a password is refused, and written nowhere', async () => {
  await using made = await workTown()
  const { town } = made
  const ran = await town.gt('rig', 'add', 'secret', 'https://me:hunter2@example.invalid/x.git')
  expectRefusal(ran, { exitCode: 2, says: /holds a password/ })
  expect(`${ran.stdout}${ran.stderr}${queueLog(town)}`).not.toContain('hunter2')
})

it('a mistyped bead in a clone that no town knows makes no town and no rig', async () => {
  await using town = await testTown({ bare: true })
  const clone = town.makeRepository('app', { 'a.txt': 'a\n' })
  expectRefusal(await town.gtIn(clone, {}, 'sling', 'nope'), { exitCode: 4, says: /there is no town/ })
  expect(existsSync(join(town.env.HOME ?? '', 'gt'))).toBe(false)
  await town.gtIn(town.dir, {}, 'init')
  expectRefusal(await town.gtIn(clone, {}, 'sling', 'nope'), { exitCode: 4, says: /there is no bead "nope"/ })
  expect((await town.gtIn(clone, {}, 'rig', 'list')).stdout).toContain('no rigs')
})
