import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { testTown, until } from '../support/test-town.js'
import {
  bead,
  commitFile,
  createBeads,
  events,
  expectRefusal,
  footprint,
  gitAsk,
  landed,
  queueLog,
  salvaged,
  sessions,
  sling,
  slingOne,
  status,
  untilClosed,
  untilQueueRests,
  workTown,
  worktrees,
} from './support-work.js'

describe('from sling to merged', () => {
  it.each(['path', 'url'] as const)(
    'an agent of a %s rig lands its commit and is cleared away',
    async (rig) => {
      await using made = await workTown({ rig })
      const { town, clone, target } = made
      await createBeads(town, 'issue-123')
      const slung = await slingOne(town, 'issue-123', 'proj', '--agent', 'worker')
      expect(slung).toMatchObject({ bead: 'issue-123', agent: 'proj/toast', branch: 'gt/toast/issue-123' })
      await untilClosed(town, 'issue-123')
      await untilQueueRests(town)

      const closed = await bead(town, 'issue-123')
      expect(closed).toMatchObject({ status: 'closed', assignee: 'proj/toast' })
      expect(town.git(target, 'rev-parse', 'main')).toBe(closed.merged_as)
      expect(town.git(target, 'show', 'main:done/issue-123.txt')).toBe('issue-123')
      expect(landed(made)).toEqual(['do issue-123', 'first'])
      // The agent read its own context, and no file of ours is in the commit.
      expect(readFileSync(join(town.root, 'run/primed-issue-123.txt'), 'utf8')).toContain(
        '## Your bead: issue-123',
      )
      expect(town.git(target, 'ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual([
        'README.md',
        'done/issue-123.txt',
        'same.txt',
      ])
      expect(await events(town, 'bead.merged')).toHaveLength(1)
      expect(worktrees(made)).toEqual([])
      expect(
        gitAsk(town, made.repository, 'rev-parse', '--verify', '-q', 'gt/toast/issue-123'),
      ).toBeUndefined()
      expect(await sessions(town)).toEqual([])
      const view = await status(town)
      expect(view.agents).toMatchObject([{ id: 'proj/toast', state: 'done' }])
      expect(view.problems).toEqual([])
      if (rig === 'path') {
        // Checked out and clean: the person's checkout followed.
        expect(readFileSync(join(clone, 'done/issue-123.txt'), 'utf8')).toBe('issue-123\n')
        expect(town.git(clone, 'status', '--porcelain')).toBe('')
      } else {
        expect(town.git(target, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main')
      }
    },
  )

  it('follows several beads of a convoy to the end, the blocked one after its blocker', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'a-1', 'a-2', 'a-3')
    await town.ok('bead', 'dep', 'a-3', 'a-1')
    const { convoy } = await town.json<{ convoy: { id: string } }>(
      'convoy',
      'create',
      'release',
      'a-1',
      'a-2',
      'a-3',
    )

    expectRefusal(await town.gt('sling', 'a-3', 'proj'), {
      exitCode: 5,
      says: /a-3 waits for a-1/,
      hint: /gt bead dep remove a-3 a-1/,
    })
    expect((await bead(town, 'a-3')).status).toBe('open')
    expect(await town.ok('bead', 'ready')).not.toContain('a-3')

    // A convoy stands for those of its beads that can start.
    const slung = await town.gt('sling', convoy.id, 'proj', '--agent', 'worker')
    expect(slung.stderr).toContain('1 beads of')
    expect(slung.exitCode).toBe(0)
    await untilClosed(town, 'a-1', 'a-2')
    const half = await town.json<{ convoy: { progress: object } }>('convoy', 'show', convoy.id)
    expect(half.convoy.progress).toMatchObject({ total: 3, closed: 2, open: 1 })

    expect(await town.ok('bead', 'ready')).toContain('a-3')
    await sling(town, convoy.id, '--agent', 'worker')
    await untilClosed(town, 'a-3')
    expect(await town.ok('convoy', 'show')).toMatch(/3\/3 .*all landed/)
    await untilQueueRests(town)
    expect(landed(made).slice().sort()).toEqual(['do a-1', 'do a-2', 'do a-3', 'first'])
    expect(worktrees(made)).toEqual([])
  })

  it('slings ten beads in one command, each to an agent of its own', async () => {
    // Nothing lands before all are slung: a name is free again once its bead is merged.
    await using made = await workTown({
      rigArgs: ['--gate', 'while ! test -e ../../../go; do sleep 0.1; done'],
    })
    const { town } = made
    const ids = Array.from({ length: 10 }, (_, i) => `ten-${i}`)
    await createBeads(town, ...ids)
    const slung = await sling(town, ...ids, 'proj', '--agent', 'worker')
    expect(slung.map((one) => one.bead).sort()).toEqual(ids)
    expect(new Set(slung.map((one) => one.agent)).size).toBe(10)
    writeFileSync(join(town.root, 'go'), '')
    await untilClosed(town, ...ids)
    await untilQueueRests(town)
    expect(landed(made).slice().sort()).toEqual(['first', ...ids.map((id) => `do ${id}`)].sort())
    expect((await events(town, 'bead.merged')).map((event) => event.data.bead).sort()).toEqual(ids)
    expect(worktrees(made)).toEqual([])
    expect(await sessions(town)).toEqual([])
  })

  it('makes a bead of a quoted sentence', async () => {
    await using made = await workTown()
    const { town } = made
    const ran = await town.gt('sling', 'make the "tests" faster', 'proj', '--agent', 'worker')
    expect(ran.exitCode, ran.stderr).toBe(0)
    const id = /made bead (proj-\S+)/.exec(ran.stderr)?.[1] ?? ''
    expect(await bead(town, id)).toMatchObject({ title: 'make the "tests" faster' })
    await untilClosed(town, id)
    await untilQueueRests(town)
  })
})

describe('where work lands', () => {
  it('waits for a dirty checkout of the target, says why, and lands after a retry', async () => {
    await using made = await workTown()
    const { town, clone } = made
    await createBeads(town, 'd-1')
    const { worktree, agent } = await slingOne(town, 'd-1')
    commitFile(town, worktree, 'README.md', 'theirs\n')
    writeFileSync(join(clone, 'README.md'), 'what the person was writing\n')
    await town.ok('done', '--as', agent)
    await until('the entry to wait', async () => (await status(town)).queue[0]?.status === 'waiting')
    await untilQueueRests(town)

    expect(readFileSync(join(clone, 'README.md'), 'utf8')).toBe('what the person was writing\n')
    const why = /main is checked out at .*proj: .*README\.md/
    expect(await town.ok('mq', 'list')).toMatch(why)
    const said = await town.ok('status')
    expect(said).toMatch(why)
    expect(said).toMatch(/problems:\n {2}! merge mq-\S+ of d-1 waits: .* \(gt mq retry mq-\S+\)/)
    expect((await bead(town, 'd-1')).status).toBe('in_review')

    town.git(clone, 'checkout', '--', 'README.md')
    await town.ok('mq', 'retry')
    await untilClosed(town, 'd-1')
    expect(readFileSync(join(clone, 'README.md'), 'utf8')).toBe('theirs\n')
    await untilQueueRests(town)
  })

  it('sends a conflict back with evidence, and lands the solved one', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'c-1', 'c-2')
    const [one, two] = await sling(town, 'c-1', 'c-2', 'proj')
    if (!one || !two) throw new Error('not slung')
    commitFile(town, one.worktree, 'same.txt', '1\nfrom one\n3\n')
    commitFile(town, two.worktree, 'same.txt', '1\nfrom two\n3\n')
    await town.ok('done', '--as', one.agent)
    await untilClosed(town, one.bead)
    await town.ok('done', '--as', two.agent)
    await until('it to come back', async () => (await bead(town, two.bead)).status === 'hooked')
    await untilQueueRests(town)

    const mail = await town.ok('mail', 'check', '--as', two.agent)
    expect(mail).toContain('it conflicts with main in same.txt')
    expect(mail).toContain('from one')
    expect(mail).toContain('git rebase main')
    expect(await town.ok('prime', '--as', two.agent)).toContain('The merge queue sent your work back')
    expect(await town.ok('mq', 'show', two.bead)).toContain('returned')
    // The agent was told in its session, too.
    expect((await town.ok('peek', two.agent)).replaceAll('\n', '')).toContain('Run `gt mail check`')

    gitAsk(town, two.worktree, 'rebase', 'main')
    writeFileSync(join(two.worktree, 'same.txt'), '1\nfrom one and two\n3\n')
    town.git(two.worktree, 'add', '-A')
    town.git(two.worktree, '-c', 'core.editor=true', 'rebase', '--continue')
    await town.ok('done', '--as', two.agent)
    await untilClosed(town, two.bead)
    await untilQueueRests(town)
    expect(town.git(made.target, 'show', 'main:same.txt')).toBe('1\nfrom one and two\n3')
    expect(await events(town, 'bead.merged')).toHaveLength(2)
  })

  it('lands nothing past a red gate, and nothing of a hanging gate lives on', async () => {
    await using made = await workTown()
    const { town } = made
    town.appendToml(`
[[rigs.proj.gates]]
name = "no bad files"
run = "if test -e bad.txt; then echo bad.txt is bad; exit 9; fi"

[[rigs.proj.gates]]
name = "hangs"
run = "test ! -e hang.txt || { sleep 77777 & trap '' TERM; sleep 77778; sleep 77779; }"
timeout = "500ms"
`)
    await createBeads(town, 'g-1')
    const { worktree, agent } = await slingOne(town, 'g-1', 'proj')
    commitFile(town, worktree, 'bad.txt', 'x\n')
    const back = () => until('it to come back', async () => (await bead(town, 'g-1')).status === 'hooked')
    await town.ok('done', '--as', agent)
    await back()
    expect(await town.ok('mail', 'check', '--as', agent)).toMatch(
      /gate "no bad files" is red \(exit 9\)[\s\S]*bad\.txt is bad/,
    )

    town.git(worktree, 'rm', '--quiet', 'bad.txt')
    commitFile(town, worktree, 'hang.txt', 'x\n')
    await town.ok('done', '--as', agent)
    await back()
    await untilQueueRests(town)
    expect(await town.ok('mail', 'check', '--as', agent)).toContain(
      'gate "hangs" is red (not done after 0.5 s)',
    )
    expect(town.processes().filter(({ command }) => /sleep 7777/.test(command))).toEqual([])
    expect(landed(made)).toEqual(['first'])

    town.git(worktree, 'rm', '--quiet', 'hang.txt')
    commitFile(town, worktree, 'good.txt', 'x\n')
    await town.ok('done', '--as', agent)
    await untilClosed(town, 'g-1')
    await untilQueueRests(town)
    expect(landed(made)[0]).toBe('write good.txt')
  })

  it('leaves an agent of a role without end in place after its merge', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'n-1')
    const { worktree, agent } = await slingOne(town, 'n-1', 'proj', '--role', 'crew', '--name', 'max')
    expect(agent).toBe('proj/max')
    commitFile(town, worktree, 'crew.txt', 'x\n')
    await town.ok('done', '--as', agent)
    await untilClosed(town, 'n-1')
    await untilQueueRests(town)
    expect(existsSync(worktree)).toBe(true)
    expect(await sessions(town)).toEqual(['proj/max'])
    expect(await town.json('hook', '--as', agent)).toMatchObject({ bead: null })
    expectRefusal(await town.gt('rig', 'remove', 'proj'), {
      exitCode: 5,
      says: /proj\/max/,
      hint: /gt agent remove proj\/max/,
    })
    // A later run of the queue does not clear it away either.
    await town.ok('mq', 'run')
    expect(await sessions(town)).toEqual(['proj/max'])
    expect(existsSync(worktree)).toBe(true)
    // New work for it begins on a fresh tree.
    await createBeads(town, 'n-2')
    await town.ok('sling', 'n-2', 'proj', '--role', 'crew', '--name', 'max')
    expect(await town.json('hook', '--as', agent)).toMatchObject({ branch: 'gt/max/n-2' })
    expect(await sessions(town)).toEqual(['proj/max'])
  })
})

describe('sling', () => {
  it('inside a clone that no town knows makes a rig of it in ~/gt, and says so', async () => {
    await using town = await testTown({ bare: true })
    town.program('opencode', 'exec cat')
    const clone = town.makeRepository('My Project', { 'a.txt': 'a\n' })
    mkdirSync(join(clone, 'deep'))
    const home = join(town.env.HOME ?? '', 'gt')
    const ran = await town.gtIn(join(clone, 'deep'), {}, 'sling', 'do something good')
    expect(ran.exitCode, ran.stderr).toBe(0)
    expect(ran.stderr).toContain(`made the town ${home}`)
    expect(ran.stderr).toContain(
      `registered ${clone} as rig my-project of the town ${home}; it lands on main`,
    )
    expect(ran.stdout).toContain('my-project/toast')
    const rigs = await town.gtIn(clone, {}, 'rig', 'list')
    expect(rigs.stdout).toContain(clone)
    // The second time both are known.
    const again = await town.gtIn(clone, {}, 'sling', 'and another thing')
    expect(again.stderr).not.toContain('registered')
    expect(again.stdout).toContain('my-project/nux')
    await town.gtIn(clone, {}, 'agent', 'stop', 'toast')
    await town.gtIn(clone, {}, 'agent', 'stop', 'nux')
    const socket = join(home, 'run/tmux.sock')
    if (existsSync(socket)) rmSync(socket)
  })

  it('with --dry-run changes nothing', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'r-1', 'r-2', 'r-3')
    const { agent } = await slingOne(town, 'r-1', 'proj')
    const before = footprint(made)
    const said = await town.ok('sling', 'r-2', 'r-3', 'proj', '--dry-run')
    expect(said).toContain('would sling r-2 to proj/nux: branch gt/nux/r-2')
    expect(said).toContain('would sling r-3 to proj/furiosa')
    expect(await town.ok('unsling', 'r-1', '--dry-run')).toContain(`would take r-1 from ${agent}`)
    expectRefusal(await town.gt('sling', 'r-1', 'proj', '--dry-run'), {
      exitCode: 5,
      says: /already hooked by/,
    })
    expectRefusal(await town.gt('sling', 'a whole sentence', 'proj', '--dry-run'), { exitCode: 2 })
    expectRefusal(await town.gt('rig', 'remove', 'proj', '--dry-run'), { exitCode: 5, says: /proj\/toast/ })
    expect(footprint(made)).toBe(before)
    expect(await sessions(town)).toEqual(['proj/toast'])
  })

  it('undoes everything when the session cannot start', async () => {
    await using made = await workTown({
      toml: `
[runtimes.early]
command = ["false"]
instruction_file = "none"
ready = { kind = "screen", text = "ready>" }
`,
    })
    const { town } = made
    await createBeads(town, 'u-1')
    const ran = await town.gt('sling', 'u-1', 'proj', '--agent', 'early')
    expectRefusal(ran, {
      exitCode: 6,
      says: /ended before it was ready \(undone: the worktree, the claim\)/,
    })
    expect(await bead(town, 'u-1')).toMatchObject({ status: 'open', assignee: null })
    expect(worktrees(made)).toEqual([])
    expect(gitAsk(town, made.repository, 'rev-parse', '--verify', '-q', 'gt/toast/u-1')).toBeUndefined()
    expect(await sessions(town)).toEqual([])
    await slingOne(town, 'u-1', 'proj')
  })

  it('gives an agent nothing of the caller that is not on the list', async () => {
    await using made = await workTown({
      toml: `
[runtimes.tells]
command = ["sh", "-c", "env > $GT_RUN_DIR/environment.txt; exec cat"]
instruction_file = "none"
`,
    })
    const { town } = made
    await createBeads(town, 'e-1')
    const env = {
      SECRET_TOKEN: 'hush',
      GT_KILL_AT: 'never',
      TMUX: '/x,1,2',
      OPENCODE_SERVER: 'x',
      GT_NODE: process.execPath,
    }
    const ran = await town.gtIn(town.root, { env }, 'sling', 'e-1', 'proj', '--agent', 'tells')
    expect(ran.exitCode, ran.stderr).toBe(0)
    const file = join(town.root, 'run/environment.txt')
    const text = await until(
      'the environment',
      () => existsSync(file) && /GT_TOWN/.test(readFileSync(file, 'utf8')) && readFileSync(file, 'utf8'),
    )
    expect(text).not.toMatch(/hush|GT_KILL_AT|\/x,1,2|OPENCODE_SERVER|GT_NODE/)
    expect(text).toContain('GT_AGENT=proj/toast\n')
    expect(text).toContain('GT_BEAD=e-1\n')
  })
})

describe('unsling', () => {
  it('saves uncommitted work where it can be read, and opens the bead again', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 's-1')
    const { worktree, agent } = await slingOne(town, 's-1', 'proj')
    const head = commitFile(town, worktree, 'committed.txt', 'in a commit\n')
    writeFileSync(join(worktree, 'README.md'), 'changed, not committed\n')
    writeFileSync(join(worktree, 'new.txt'), 'never added\n')
    expect(await town.ok('unsling', 's-1')).toMatch(
      /s-1 is open again, proj\/toast is free; its tree is saved: refs\/gt\/salvage\/proj\/toast\//,
    )
    expect(salvaged(made, agent, 'new.txt')).toBe('never added\n')
    expect(salvaged(made, agent, 'README.md')).toBe('changed, not committed\n')
    const refs = town.git(made.repository, 'for-each-ref', '--format=%(refname)', '--contains', head)
    expect(refs).toContain('refs/gt/salvage/')
    expect(await town.ok('salvage', 'list')).toContain('unsling s-1')
    expect(await bead(town, 's-1')).toMatchObject({ status: 'open', assignee: null })
    expect(worktrees(made)).toEqual([])
    expect(await sessions(town)).toEqual([])
    expectRefusal(await town.gt('unsling', 's-1'), { exitCode: 5, says: /s-1 is open: no agent holds it/ })
    await slingOne(town, 's-1', 'proj')
  })

  it.each(['path', 'url'] as const)(
    'of an agent of a %s rig that stands half-way in a rebase loses nothing',
    async (rig) => {
      await using made = await workTown({ rig })
      const { town } = made
      await createBeads(town, 'x-1')
      const { worktree, agent, branch } = await slingOne(town, 'x-1', 'proj')
      commitFile(town, worktree, 'same.txt', '1\nolder\n3\n')
      // The remote has an older state of the branch than the worktree.
      if (rig === 'url') town.git(worktree, 'push', '--quiet', made.target, `${branch}:${branch}`)
      const mine = commitFile(town, worktree, 'same.txt', '1\nmine\n3\n')
      town.git(worktree, 'checkout', '--quiet', '-b', 'other', 'HEAD~2')
      const other = commitFile(town, worktree, 'same.txt', '1\nother\n3\n')
      town.git(worktree, 'checkout', '--quiet', branch)
      gitAsk(town, worktree, 'rebase', 'other')
      expect(await town.ok('unsling', 'x-1')).toContain('its tree is saved')
      for (const sha of [mine, other])
        expect(town.git(made.repository, 'for-each-ref', '--contains', sha, 'refs/gt/salvage/')).not.toBe('')
      expect(salvaged(made, agent, 'same.txt')).toContain('<<<<<<<')
      expect(worktrees(made)).toEqual([])
      expect(gitAsk(town, made.target, 'rev-parse', '--verify', '-q', `refs/heads/${branch}`)).toBeUndefined()
      // The same agent may have it again.
      expect(await slingOne(town, 'x-1', 'proj')).toMatchObject({ agent, branch })
    },
  )

  it('takes a waiting entry out of the queue', async () => {
    await using made = await workTown()
    const { town, clone } = made
    await createBeads(town, 'w-1')
    const { worktree, agent } = await slingOne(town, 'w-1', 'proj')
    commitFile(town, worktree, 'README.md', 'theirs\n')
    writeFileSync(join(clone, 'README.md'), 'mine\n')
    await town.ok('done', '--as', agent)
    await until('it to wait', async () => (await status(town)).queue[0]?.status === 'waiting')
    await untilQueueRests(town)
    await town.ok('unsling', 'w-1')
    town.git(clone, 'checkout', '--', 'README.md')
    expect(await town.ok('mq', 'run')).toContain('merged 0')
    expect(landed(made)).toEqual(['first'])
    expect(salvaged(made, agent, 'README.md')).toBe('theirs\n')
  })
})

describe('done', () => {
  it('refuses what cannot land, each with its reason, and queues the same commits once', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'f-1')
    const { worktree, agent } = await slingOne(town, 'f-1', 'proj')
    const done = () => town.gt('done', '--as', agent)

    expectRefusal(await done(), { exitCode: 1, says: /gt\/toast\/f-1 has no commits of its own/ })
    writeFileSync(join(worktree, 'new.txt'), 'x\n')
    expectRefusal(await done(), { exitCode: 1, says: /not everything is committed:\n {2}\?\? new\.txt/ })
    commitFile(town, worktree, 'same.txt', '1\nagent\n3\n')
    town.git(worktree, 'checkout', '--quiet', '-b', 'elsewhere')
    expectRefusal(await done(), {
      exitCode: 1,
      says: /the worktree is on elsewhere, not on gt\/toast\/f-1/,
      hint: /git checkout -B gt\/toast\/f-1/,
    })
    town.git(worktree, 'checkout', '--quiet', '--detach')
    expectRefusal(await done(), { exitCode: 1, says: /the worktree is on no branch/ })
    town.git(worktree, 'checkout', '--quiet', 'gt/toast/f-1')

    town.git(worktree, 'branch', '--quiet', 'other', 'main')
    town.git(worktree, 'checkout', '--quiet', 'other')
    commitFile(town, worktree, 'same.txt', '1\nsomebody else\n3\n')
    town.git(worktree, 'checkout', '--quiet', 'gt/toast/f-1')
    gitAsk(town, worktree, 'rebase', 'other')
    expectRefusal(await done(), {
      exitCode: 1,
      says: /a rebase stands half done/,
      hint: /git rebase --abort/,
    })
    town.git(worktree, 'rebase', '--abort')

    const outside = await town.gt('done')
    expectRefusal(outside, { exitCode: 2, says: /no GT_AGENT here/, hint: /--as proj\/toast/ })

    const first = await town.json<{ entry: string; already: boolean }>('done', '--as', agent)
    const second = await done()
    if (second.exitCode === 0)
      expect(second.stdout).toContain(`is in the merge queue already (${first.entry})`)
    else expectRefusal(second, { exitCode: 1, says: /has nothing on its hook/ })
    await untilClosed(town, 'f-1')
    await untilQueueRests(town)
    const { merges } = await town.json<{ merges: unknown[] }>('mq', 'list', '--all')
    expect(merges).toHaveLength(1)
    expect(await events(town, 'work.done')).toHaveLength(1)
    expectRefusal(await done(), { exitCode: 1, says: /has nothing on its hook/ })
    expect(queueLog(town).match(/merged as/g)).toHaveLength(1)
  })

  it('refuses a commit that holds a file of gt', async () => {
    await using made = await workTown({ toml: '[runtimes.reads]\ncommand = ["cat"]\n' })
    const { town } = made
    await createBeads(town, 'h-1')
    const { worktree, agent } = await slingOne(town, 'h-1', 'proj', '--agent', 'reads')
    expect(town.git(worktree, 'status', '--porcelain')).toBe('')
    town.git(worktree, 'add', '--force', 'AGENTS.md')
    town.git(worktree, 'commit', '--quiet', '-m', 'too much')
    expectRefusal(await town.gt('done', '--as', agent), {
      exitCode: 1,
      says: /a commit of yours holds a file that gt made: AGENTS\.md/,
      hint: /git reset --soft/,
    })
    // Taking it out again in a second commit leaves it in the history.
    town.git(worktree, 'rm', '--quiet', '--cached', 'AGENTS.md')
    commitFile(town, worktree, 'good.txt', 'x\n')
    expectRefusal(await town.gt('done', '--as', agent), { exitCode: 1, says: /AGENTS\.md in [0-9a-f]{10}/ })
    town.git(worktree, 'reset', '--quiet', '--soft', 'HEAD~2')
    town.git(worktree, 'commit', '--quiet', '-m', 'good')
    await town.ok('done', '--as', agent)
    await untilClosed(town, 'h-1')
    expect(town.git(made.repository, 'log', '--name-only', '--format=')).not.toContain('AGENTS.md')
  })
})
