import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TownView } from '../../src/app/town-view.js'
import { tmuxSocketPath } from '../../src/orchestrators/tmux/socket-path.js'
import { type TestTown, until } from '../support/test-town.js'
import { BARE, bead, expectRefusal, type Slung, sessions, type WorkTown, workTown } from './support-work.js'

interface TwoMachines extends WorkTown {
  url: string
  /** Root of the second machine's town, with the same rig. */
  other: string
}

/** Two towns that know each other's beads; each has a clone of the project. */
async function twoMachines(strict = false): Promise<TwoMachines> {
  const first = await workTown()
  const { town } = first
  const url = join(town.dir, 'beads.git')
  execFileSync('git', ['init', '--quiet', '--bare', url])
  await town.ok('bead', 'create', '--id', 'issue-1', 'do it', ...(strict ? ['--strict'] : []))
  await town.ok('sync', '--remote', url)
  const other = join(town.dir, 'other')
  await town.ok('init', other, '--from', url)
  const clone = join(town.dir, 'proj-2')
  town.git(town.dir, 'clone', '--quiet', first.clone, clone)
  await town.ok('rig', 'add', 'proj', clone, '--town', other)
  await untilQuiet(town)
  appendFileSync(join(other, 'town.toml'), `\n${BARE}`)
  return {
    ...first,
    url,
    other,
    async [Symbol.asyncDispose]() {
      await endOther(town, other)
      await first[Symbol.asyncDispose]()
    },
  }
}

async function untilQuiet(town: TestTown): Promise<void> {
  await until('background work to end', () =>
    town.processes().every(({ command }) => !/ (sync --background|pool run|store c)/.test(command)),
  )
}

/** Both sling before either hears of the other: the exchange is held up meanwhile. */
async function slingApart(two: TwoMachines, names: [string, string]): Promise<[Slung, Slung]> {
  const { town, other, url } = two
  execFileSync('mv', [url, `${url}.away`])
  const slung: Slung[] = []
  for (const [root, name] of [
    [town.root, names[0]],
    [other, names[1]],
  ] as const) {
    const { slung: made } = await town.json<{ slung: Slung[] }>(
      'sling',
      'issue-1',
      'proj',
      '--agent',
      'bare',
      '--name',
      name,
      '--town',
      root,
    )
    slung.push(...made)
  }
  await untilQuiet(town)
  execFileSync('mv', [`${url}.away`, url])
  const [a, b] = slung
  if (!a || !b) throw new Error('nothing was slung')
  return [a, b]
}

async function otherSessions(two: TwoMachines): Promise<string[]> {
  const { agents } = await two.town.json<TownView & Record<string, unknown>>('status', '--town', two.other)
  return agents.filter(({ location }) => location !== '').map(({ id }) => id)
}

/** The second town's sessions hang on a server of their own. */
async function endOther(town: TestTown, other: string): Promise<void> {
  await untilQuiet(town).catch(() => undefined)
  try {
    execFileSync('tmux', ['-S', tmuxSocketPath(other), 'kill-server'], { stdio: 'ignore', env: town.env })
  } catch {
    // It has none.
  }
}

/** Ends a sync of the second machine there with -9; what it began, the next one must finish. */
async function killSync({ town, other }: TwoMachines, step: string): Promise<void> {
  const ran = await town.gtIn(town.root, { env: { GT_KILL_AT: step } }, 'sync', '--town', other)
  expect(ran.signal ?? ran.exitCode, `${step}: ${ran.stdout}${ran.stderr}`).toBe('SIGKILL')
}

describe('a claim that another machine overruled', () => {
  it('ends the session of the loser, saves its tree, mails it, and leaves the winner alone', async () => {
    await using two = await twoMachines()
    const { town, other } = two
    const [winner, loser] = await slingApart(two, ['toast', 'nux'])
    writeFileSync(join(loser.worktree, 'precious.txt'), 'work of the loser\n')
    await town.ok('sync')
    for (const step of ['sync.exchanged', 'lost.withdrawn', 'clear.salvaged']) await killSync(two, step)
    const said = await town.ok('sync', '--town', other)
    expect(said).toMatch(/proj\/nux was stopped: issue-1 went to proj\/toast on another machine/)
    expect(said).toMatch(/saved in refs\/gt\/salvage\/proj\/nux/)
    const ref = /refs\/gt\/salvage\/[^\s.]+/.exec(said)?.[0] ?? ''
    expect(town.git(join(town.dir, 'proj-2'), 'show', `${ref}:precious.txt`)).toBe('work of the loser')
    expect(existsSync(loser.worktree)).toBe(false)
    expect(await otherSessions(two)).toEqual([])
    expect(await town.ok('mail', 'inbox', '--town', other)).toContain('issue-1 is not yours any more')
    // The winner works on, and both see the same.
    await town.ok('sync')
    expect(existsSync(winner.worktree)).toBe(true)
    expect(await sessions(town)).toHaveLength(1)
    expect(await bead(town, 'issue-1')).toMatchObject({ status: 'hooked', assignee: 'proj/toast' })
    // Said once.
    expect(await town.ok('sync', '--town', other)).not.toContain('was stopped')
  })

  it('by an agent of the same name ends the second session all the same', async () => {
    await using two = await twoMachines()
    const { town, other } = two
    const [winner, loser] = await slingApart(two, ['toast', 'toast'])
    writeFileSync(join(loser.worktree, 'precious.txt'), 'work of the loser\n')
    await town.ok('sync')
    await killSync(two, 'lost.cleared')
    await town.ok('sync', '--town', other)
    const saved = town.git(join(town.dir, 'proj-2'), 'for-each-ref', '--format=%(refname)', 'refs/gt/salvage')
    expect(town.git(join(town.dir, 'proj-2'), 'show', `${saved}:precious.txt`)).toBe('work of the loser')
    expect(existsSync(loser.worktree)).toBe(false)
    expect(await otherSessions(two)).toEqual([])
    await town.ok('sync')
    expect(existsSync(winner.worktree)).toBe(true)
    expect(await sessions(town)).toHaveLength(1)
    expect(await bead(town, 'issue-1')).toMatchObject({ status: 'hooked', assignee: 'proj/toast' })
  })

  it('by closing the bead there tells and frees the agent here', async () => {
    await using two = await twoMachines()
    const { town, other, url } = two
    execFileSync('mv', [url, `${url}.away`])
    const { slung } = await town.json<{ slung: Slung[] }>('sling', 'issue-1', 'proj', '--agent', 'bare')
    await town.ok('bead', 'close', 'issue-1', '--town', other)
    await untilQuiet(town)
    execFileSync('mv', [`${url}.away`, url])
    await town.ok('sync', '--town', other)
    const said = await town.ok('sync')
    expect(said).toMatch(/was stopped: issue-1 was closed on another machine/)
    expect(existsSync(slung[0]?.worktree ?? '')).toBe(false)
    expect(await bead(town, 'issue-1')).toMatchObject({ status: 'closed' })
    expect(await sessions(town)).toEqual([])
  })
})

describe('an agent of another machine', () => {
  it('is shown as unknown, and is neither stopped nor taken its bead from here', async () => {
    await using two = await twoMachines()
    const { town, other } = two
    await town.json('sling', 'issue-1', 'proj', '--agent', 'bare')
    await untilQuiet(town)
    await town.ok('sync')
    await town.ok('sync', '--town', other)
    const { agents } = await town.json<TownView & Record<string, unknown>>('status', '--town', other)
    expect(agents).toMatchObject([{ id: 'proj/toast', state: 'unknown' }])
    expect(agents[0]?.detail).toContain('another machine')
    for (const args of [
      ['unsling', 'issue-1'],
      ['agent', 'stop', 'toast'],
      ['agent', 'resume', 'toast'],
    ])
      expectRefusal(await town.gt(...args, '--town', other), {
        exitCode: 5,
        says: /lives on another machine/,
      })
    expectRefusal(await town.gt('sling', 'issue-1', 'proj', '--agent', 'bare', '--town', other), {
      exitCode: 5,
      says: /already hooked by proj\/toast/,
    })
  })
})

describe('a strict bead', () => {
  it('goes to the machine that has the lease; the other is refused with exit 5 and the winner', async () => {
    await using two = await twoMachines(true)
    const { town, other } = two
    expect(await town.ok('bead', 'show', 'issue-1')).toContain('· strict')
    // Killed between lease and claim: the other machine must not slip in.
    for (const step of ['lease:noted', 'lease:pushed', 'sling.leased']) {
      const env = { GT_KILL_AT: step }
      const killed = await town.gtIn(town.root, { env }, 'sling', 'issue-1', 'proj', '--agent', 'bare')
      expect(killed.signal ?? killed.exitCode, step).toBe('SIGKILL')
    }
    const refused = await town.gt('sling', 'issue-1', 'proj', '--agent', 'bare', '--town', other)
    expectRefusal(refused, { exitCode: 5, says: /was leased by human on / })
    expect(await bead(town, 'issue-1')).toMatchObject({ status: 'open' })
    await town.json('sling', 'issue-1', 'proj', '--agent', 'bare')
    await untilQuiet(town)
    await town.ok('sync')
    expect(town.git(two.url, 'for-each-ref', 'refs/gt/lease')).toBe('')
    expect(readdirSync(join(town.root, '.beads/local/leases'))).toEqual([])
    const late = await town.gt('sling', 'issue-1', 'proj', '--agent', 'bare', '--town', other)
    expectRefusal(late, { exitCode: 5, says: /hooked by proj\/toast/ })
  })

  it('is not claimed when the remote cannot be asked', async () => {
    await using two = await twoMachines(true)
    const { town, url } = two
    execFileSync('mv', [url, `${url}.away`])
    const refused = await town.gt('sling', 'issue-1', 'proj', '--agent', 'bare')
    expectRefusal(refused, { exitCode: 6, says: /no git repository/ })
    expect(await bead(town, 'issue-1')).toMatchObject({ status: 'open', assignee: null })
    execFileSync('mv', [`${url}.away`, url])
  })
})
