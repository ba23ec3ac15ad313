import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PACKAGE_DIR } from '../support/run-gt.js'
import {
  bead,
  commitFile,
  events,
  git,
  gitAsk,
  handIn,
  landed,
  type Slung,
  salvaged,
  sessions,
  sling,
  status,
  untilClosed,
  untilQueueRests,
  type WorkTown,
  workTown,
  worktrees,
} from './support-work.js'

/** The store's own, met by every command that writes. */
const STORE = ['before-write', 'after-write', 'after-readback', 'before-sync', 'after-sync']
const STORE_SHORT = ['before-write', 'after-write']
const SLING = [
  'sling.claimed',
  'worktree-noted',
  'worktree-registered',
  'worktree-filled',
  'sling.worktree',
  'sling.context',
  'session.recorded',
  'session.spawned',
]
const DONE = ['done.checked', 'done.published', 'done.enqueued', 'done.kicked']
const DONE_URL = ['publish-noted', 'publish-pushed']
const CLEAR = [
  'clear.stopped',
  'salvage-snapshot',
  'salvage-committed',
  'salvage-stored',
  'clear.salvaged',
  'removal-noted',
  'removal-tree-gone',
  'clear.removed',
]
const UNSLING = ['unsling.withdrawn', ...CLEAR, 'unsling.cleared']
const MERGE = [
  'candidate-ready-to-replay',
  'merge.rebased',
  'merge.gated',
  'merge.candidate',
  'merge.landed',
  'merge.recorded',
  'merge.cleared',
]
/** Of a clone whose target branch is checked out. */
const LAND_CHECKED_OUT = [
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
const LAND_REMOTE = ['landing-checked', 'landing-pushed']

/** Not met by these commands, or not a point where a process of gt can be stopped. */
const ELSEWHERE = [
  ...[
    'new-segment',
    'before-seal',
    'after-seal',
    'after-seal-sync',
    'temporary-written',
    'before-rename',
    'after-rename',
  ],
  ...[
    'clone-started',
    'clone-fetched',
    'mail.recorded',
    'rig.prepared',
    'merge.returned',
    'history:before-import',
  ],
]

/**
 * Killed in test/store ({sync,compact}-kill, purge, history-care, doctor-beside-writers), and in the e2e tests of sync, of
 * claims across machines, of retiring, of moving in, and of what agents ask.
 */
const KILLED_ELSEWHERE =
  /^(sync[.:]|lease:|retire[.:]|lost\.|compact:|repair:|purge:|history:(before-gc|archived|squashed)$|import\.|asks?\.|sling\.leased$)/

describe.each([
  { kind: 'path', checkedOut: true, name: 'a clone with the target checked out' },
  { kind: 'path', checkedOut: false, name: 'a clone on another branch' },
  { kind: 'url', checkedOut: false, name: 'a remote' },
] as const)('killed, on $name', ({ kind, checkedOut }) => {
  let made: WorkTown
  let next = 0
  /** Agents that a test left at work, for the next one. */
  const atWork: Slung[] = []

  beforeAll(async () => {
    made = await workTown({
      rig: kind,
      toml: '\n[limits]\nagents = 300\n',
      rigArgs: ['--gate', 'test -s README.md', '--branch', 'main'],
    })
    if (!checkedOut && kind === 'path') git(made.town, made.clone, 'checkout', '--quiet', '-b', 'mine')
  })
  afterAll(() => made[Symbol.asyncDispose]())

  const kill = async (step: string, ...args: string[]): Promise<void> => {
    const ran = await made.town.gtIn(made.town.root, { env: { GT_KILL_AT: step } }, ...args)
    expect(
      ran.signal ?? ran.exitCode,
      `gt ${args.join(' ')} never came to ${step}: ${ran.stdout}${ran.stderr}`,
    ).toBe('SIGKILL')
  }

  const newBead = async (): Promise<string> => {
    const id = `k-${next++}`
    await made.town.ok('bead', 'create', '--id', id, `do ${id}`)
    return id
  }

  /** An agent at work: one that a test left, or one of a new handful. */
  const agentAtWork = async (): Promise<Slung> => {
    if (atWork.length === 0) {
      const ids: string[] = []
      for (let i = 0; i < 4; i++) ids.push(await newBead())
      atWork.push(...(await sling(made.town, ...ids, 'proj')))
    }
    const one = atWork.shift()
    if (!one) throw new Error('nobody is at work')
    return one
  }

  /** Somebody else lands a commit without content, so that the next candidate has to be made anew. */
  const moveTarget = (): void => {
    const { town, target } = made
    const sha = git(town, target, 'commit-tree', 'main^{tree}', '-p', 'main', '-m', 'somebody else')
    git(town, target, 'update-ref', 'refs/heads/main', sha)
  }

  const hasBranch = (branch: string) =>
    gitAsk(made.town, made.repository, 'rev-parse', '--verify', '-q', branch) !== undefined

  /** One worktree and one session for each agent that holds a bead; nothing else. */
  const expectNothingLeaked = async (): Promise<void> => {
    const view = await status(made.town)
    const holders = view.agents.filter((agent) => agent.bead !== undefined)
    expect(worktrees(made).sort()).toEqual(holders.map((agent) => agent.worktree ?? '').sort())
    expect(await sessions(made.town)).toEqual(holders.map((agent) => agent.id).sort())
    expect(view.problems).toEqual([])
    const folder = join(made.town.root, 'rigs/proj/work')
    expect(existsSync(folder) ? readdirSync(folder).sort() : []).toEqual(
      holders.map((agent) => agent.name).sort(),
    )
    expect(existsSync(join(made.town.root, 'rigs/proj/merge'))).toBe(false)
  }

  const slingSteps =
    kind === 'path' && checkedOut ? [...STORE, ...SLING] : ['worktree-registered', 'session.spawned']
  it(`sling is finished by a second sling (${slingSteps.length} steps)`, async () => {
    const { town } = made
    const ids: string[] = []
    for (const step of slingSteps) {
      const id = await newBead()
      await kill(step, 'sling', id, 'proj')
      const after = await bead(town, id)
      const view = await status(town)
      const agent = view.agents.find((one) => one.bead?.id === id)
      if (after.status === 'open') {
        expect(['before-write'], step).toContain(step)
        expect(agent, step).toBeUndefined()
      } else {
        // Claimed by a process that is gone: said, with what finishes it, unless the session is already there.
        expect(after, step).toMatchObject({ status: 'hooked', assignee: agent?.id })
        if (step === 'session.spawned') expect(agent?.state, step).toMatch(/working|idle|starting/)
        else
          expect(agent, step).toMatchObject({
            state: 'failed',
            detail: expect.stringContaining(`gt sling ${id} finishes it`),
          })
      }
      const [again] = await sling(town, id, 'proj')
      expect(again, step).toMatchObject({ bead: id, resumed: after.status !== 'open' })
      if (agent) expect(again?.agent, step).toBe(agent.id)
      ids.push(id)
      expect(git(town, again?.worktree ?? '', 'status', '--porcelain'), step).toBe('')
      if (again) atWork.push(again)
    }
    expect((await eventsOf('bead.slung')).filter((id) => ids.includes(id))).toEqual(ids)
    await expectNothingLeaked()
    expect((await status(town)).agents.filter((agent) => agent.state === 'failed')).toEqual([])
  })

  const eventsOf = async (type: string): Promise<string[]> =>
    (await events(made.town, type)).map((event) => String(event.data.bead))

  const doneSteps =
    kind === 'url' ? [...DONE, ...DONE_URL] : checkedOut ? [...STORE_SHORT, ...DONE] : ['done.enqueued']
  it(`done is finished by a second done (${doneSteps.length} steps)`, async () => {
    const { town } = made
    const ids: string[] = []
    for (const step of doneSteps) {
      const { bead: id, agent, worktree } = await agentAtWork()
      commitFile(town, worktree, `${id}.txt`, `${id}\n`)
      await kill(step, 'done', '--as', agent)
      const after = await bead(town, id)
      if (['done.enqueued', 'done.kicked', ...STORE.slice(1)].includes(step))
        expect(['in_review', 'closed'], step).toContain(after.status)
      else expect(after.status, step).toBe('hooked')
      const again = await town.gt('done', '--as', agent)
      // The runner of a done that was killed after its last step may be through already.
      if (again.exitCode !== 0) expect(again.stderr, step).toContain('has nothing on its hook')
      await untilClosed(town, id)
      await untilQueueRests(town)
      ids.push(id)
      await expectLandedOnce(id, step)
    }
    const { merges } = await town.json<{ merges: { bead: string }[] }>('mq', 'list', '--all')
    expect(merges.map((merge) => merge.bead).filter((id) => ids.includes(id))).toEqual(ids)
    expect((await eventsOf('bead.merged')).filter((id) => ids.includes(id))).toEqual(ids)
    await expectNothingLeaked()
  })

  const expectLandedOnce = async (id: string, step: string): Promise<void> => {
    const { town } = made
    expect(
      landed(made).filter((subject) => subject === `write ${id}.txt`),
      step,
    ).toHaveLength(1)
    const { status: now, merged_as } = await bead(town, id)
    expect(now, step).toBe('closed')
    expect(gitAsk(town, made.target, 'merge-base', '--is-ancestor', merged_as ?? '', 'main'), step).toBe('')
    if (checkedOut) {
      expect(existsSync(join(made.clone, '.git/index.lock')), step).toBe(false)
      expect(git(town, made.clone, 'status', '--porcelain'), step).toBe('')
      expect(readFileSync(join(made.clone, `${id}.txt`), 'utf8'), step).toBe(`${id}\n`)
    }
  }

  const mergeSteps =
    kind === 'url'
      ? [...MERGE, ...LAND_REMOTE, 'clear.salvaged', 'removal-tree-gone', 'clear.removed']
      : checkedOut
        ? [...MERGE, ...LAND_CHECKED_OUT, ...CLEAR, ...STORE_SHORT]
        : [...MERGE, 'landing-locked']
  it(`mq run is finished by the next mq run (${mergeSteps.length} steps)`, async () => {
    const { town } = made
    const ids: string[] = []
    for (const step of mergeSteps) {
      const { bead: id, agent, worktree, branch } = await agentAtWork()
      const head = commitFile(town, worktree, `${id}.txt`, `${id}\n`)
      await handIn(town, agent)
      if (CLEAR.includes(step)) moveTarget()
      await kill(step, 'mq', 'run')
      // Not set going again by the look itself: only what a person would see.
      const { beads } = await town.json<{ beads: { id: string; status: string }[] }>('bead', 'list', '--all')
      const now = beads.find((one) => one.id === id)?.status
      expect(now, step).toBe(
        ['merge.recorded', 'merge.cleared', ...CLEAR].includes(step) ? 'closed' : 'in_review',
      )
      if (now === 'closed') expect(landed(made), step).toContain(`write ${id}.txt`)
      const run = await town.json<{ merged: string[] }>('mq', 'run')
      expect(run.merged, step).toEqual(now === 'closed' ? [] : [id])
      ids.push(id)
      await expectLandedOnce(id, step)
      // What the agent had committed is on the target as it was, or in a salvage.
      const holders = git(town, made.repository, 'for-each-ref', '--contains', head, '--format=%(refname)')
      expect(holders, step).not.toBe('')
      expect(existsSync(worktree), step).toBe(false)
      expect(hasBranch(branch), step).toBe(false)
    }
    expect((await eventsOf('bead.merged')).filter((id) => ids.includes(id))).toEqual(ids)
    await expectNothingLeaked()
  })

  const unslingSteps =
    kind === 'path' && checkedOut
      ? [...UNSLING, ...STORE_SHORT]
      : ['clear.salvaged', 'removal-tree-gone', 'clear.removed']
  it(`unsling is finished by a second unsling (${unslingSteps.length} steps)`, async () => {
    const { town } = made
    const ids: string[] = []
    for (const step of unslingSteps) {
      const { bead: id, agent, worktree, branch } = await agentAtWork()
      const head = commitFile(town, worktree, 'committed.txt', `committed for ${id}\n`)
      writeFileSync(join(worktree, 'loose.txt'), `loose of ${id}\n`)
      await kill(step, 'unsling', id)
      const after = await bead(town, id)
      expect(['hooked', 'open'], step).toContain(after.status)
      const view = await status(town)
      if (after.status === 'hooked')
        expect(view.agents.find((one) => one.id === agent)?.bead?.id, step).toBe(id)
      const again = await town.gt('unsling', id)
      expect(again.exitCode, `${step}: ${again.stderr}`).toBe(after.status === 'hooked' ? 0 : 5)
      expect(await bead(town, id), step).toMatchObject({ status: 'open', assignee: null })
      expect(salvaged(made, agent, 'loose.txt'), step).toBe(`loose of ${id}\n`)
      expect(
        git(town, made.repository, 'for-each-ref', '--contains', head, 'refs/gt/salvage/'),
        step,
      ).not.toBe('')
      expect(hasBranch(branch), step).toBe(false)
      expect(existsSync(worktree), step).toBe(false)
      ids.push(id)
    }
    expect((await eventsOf('bead.unslung')).filter((id) => ids.includes(id))).toEqual(ids)
    await expectNothingLeaked()
  })

  if (checkedOut) {
    it('unsling takes back what a killed runner changed in the checkout of the person', async () => {
      const { town, clone } = made
      const { bead: id, agent, worktree } = await agentAtWork()
      commitFile(town, worktree, 'half.txt', 'half\n')
      await handIn(town, agent)
      await kill('landing-files', 'mq', 'run')
      expect(existsSync(join(clone, 'half.txt'))).toBe(true)
      await town.ok('unsling', id)
      expect(existsSync(join(clone, '.git/index.lock'))).toBe(false)
      expect(git(town, clone, 'status', '--porcelain')).toBe('')
      expect(existsSync(join(clone, 'half.txt'))).toBe(false)
      expect(salvaged(made, agent, 'half.txt')).toBe('half\n')
      expect((await bead(town, id)).status).toBe('open')
    })
  }

  it('unsling does not open a bead again whose commits are on the target', async () => {
    const { town } = made
    const { bead: id, agent, worktree } = await agentAtWork()
    commitFile(town, worktree, `${id}.txt`, `${id}\n`)
    await handIn(town, agent)
    await kill('merge.landed', 'mq', 'run')
    const ran = await town.gt('unsling', id)
    expect(ran.stderr).toContain(`${id} is on main already`)
    expect(ran.exitCode).toBe(5)
    await town.ok('mq', 'run')
    await expectLandedOnce(id, 'merge.landed')
  })
})

it('the steps above are all that there are', () => {
  const src = join(PACKAGE_DIR, 'src')
  const names = ['app', 'cli', 'git', 'store', 'system']
    .flatMap((folder) => filesBelow(join(src, folder)))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\b(?:step|onStep)(?:\?\.)?\('([^'`]+)'\)/g)])
    .map((match) => match[1] ?? '')
  const known = [
    ...STORE,
    ...SLING,
    ...DONE,
    ...DONE_URL,
    ...UNSLING,
    ...MERGE,
    ...LAND_CHECKED_OUT,
    ...LAND_REMOTE,
    ...ELSEWHERE,
  ]
  expect(names.length).toBeGreaterThan(40)
  const others = names.filter((name) => !KILLED_ELSEWHERE.test(name))
  expect([...new Set(others)].filter((name) => !known.includes(name))).toEqual([])
  expect(known.filter((name) => !names.includes(name))).toEqual([])
})

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(dir, entry.name)) : [join(dir, entry.name)],
  )
}
