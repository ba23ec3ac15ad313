import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { until } from '../support/test-town.js'
import {
  bead,
  commitFile,
  events,
  handIn,
  landed,
  sessions,
  sling,
  status,
  untilQueueRests,
  workTown,
  worktrees,
} from './support-work.js'

const ROUNDS = 20
const MANY = '\n[limits]\nagents = 200\n'

describe('at once', () => {
  it(`two slings of one bead: one wins, the other is told who did (${ROUNDS} rounds)`, async () => {
    await using made = await workTown({ toml: MANY })
    const { town } = made
    const ids = Array.from({ length: ROUNDS }, (_, i) => `race-${i}`)
    for (let i = 0; i < ROUNDS; i += 4)
      await Promise.all(ids.slice(i, i + 4).map((id) => town.ok('bead', 'create', '--id', id, 'race')))
    const winners: string[] = []
    for (const id of ids) {
      const both = await Promise.all([town.gt('sling', id, 'proj', '--json'), town.gt('sling', id, 'proj')])
      const said = both.map((ran) => `exit ${ran.exitCode}: ${ran.stdout}${ran.stderr}`).join('\n')
      expect(both.map((ran) => ran.exitCode).sort(), `${id}\n${said}`).toEqual([0, 5])
      const { assignee } = await bead(town, id)
      expect(assignee).toMatch(/^proj\//)
      winners.push(assignee ?? '')
      for (const ran of both) {
        if (ran.exitCode === 5)
          expect(`${ran.stdout}${ran.stderr}`).toContain(`${id} is already hooked by ${assignee}`)
        else expect(ran.stdout).toContain(assignee)
      }
    }
    expect(new Set(winners).size).toBe(ROUNDS)
    expect(await sessions(town)).toEqual([...winners].sort())
    expect(worktrees(made)).toHaveLength(ROUNDS)
    expect(await events(town, 'bead.slung')).toHaveLength(ROUNDS)
    expect((await status(town)).problems).toEqual([])
  })

  it('four slings of four beads: four agents with names of their own', async () => {
    await using made = await workTown()
    const { town } = made
    const ids = ['p-0', 'p-1', 'p-2', 'p-3']
    for (const id of ids) await town.ok('bead', 'create', '--id', id, 'x')
    const slung = (await Promise.all(ids.map((id) => sling(town, id, 'proj')))).flat()
    expect(slung.map((one) => one.agent).sort()).toEqual([
      'proj/furiosa',
      'proj/nux',
      'proj/slit',
      'proj/toast',
    ])
    expect(new Set(slung.map((one) => one.worktree)).size).toBe(4)
    for (const { bead: id, agent } of slung) expect((await bead(town, id)).assignee).toBe(agent)
    expect(await sessions(town)).toHaveLength(4)
  })

  it('two runners of the merge queue: each entry lands once', async () => {
    await using made = await workTown()
    const { town } = made
    const ids = ['m-0', 'm-1', 'm-2']
    for (const id of ids) await town.ok('bead', 'create', '--id', id, 'x')
    const slung = await sling(town, ...ids, 'proj')
    for (const { bead: id, agent, worktree } of slung) {
      commitFile(town, worktree, `${id}.txt`, 'x\n')
      await handIn(town, agent)
    }
    const both = await Promise.all([town.gt('mq', 'run', '--json'), town.gt('mq', 'run', '--json')])
    // One of them does the work; the other may find it done, or find the first at it.
    expect(both.map((ran) => ran.exitCode).sort()[0]).toBe(0)
    for (const ran of both) expect([0, 5]).toContain(ran.exitCode)
    const runs = both.map((ran) => JSON.parse(ran.stdout) as { merged: string[]; busyBy?: string })
    expect(runs.flatMap((run) => run.merged).sort()).toEqual(ids)
    for (const run of runs) if (run.busyBy !== undefined) expect(run.busyBy).toMatch(/^process \d+$/)
    expect(landed(made).slice().sort()).toEqual(['first', ...ids.map((id) => `write ${id}.txt`)].sort())
    expect((await events(town, 'bead.merged')).map((event) => event.data.bead).sort()).toEqual(ids)
    await untilQueueRests(town)
    expect(worktrees(made)).toEqual([])
  })

  it('says who works on the queue when somebody keeps it for long', async () => {
    await using made = await workTown({
      rigArgs: ['--gate', 'touch running; while ! test -e ../../../go; do sleep 0.1; done'],
    })
    const { town } = made
    await town.ok('bead', 'create', '--id', 'slow', 'x')
    const [one] = await sling(town, 'slow', 'proj')
    if (!one) throw new Error('not slung')
    commitFile(town, one.worktree, 'a.txt', 'x\n')
    await handIn(town, one.agent)
    const first = town.gt('mq', 'run')
    // Which of two gets the queue is chance; this one has it when its gate runs.
    const gateRuns = join(town.root, 'rigs/proj/merge/running')
    await until('the gate to run', () => (existsSync(gateRuns) ? true : undefined))
    const second = await town.gt('mq', 'run')
    expect(second.stdout).toMatch(/^another process works on the queue: process \d+\n$/)
    expect(second.exitCode).toBe(5)
    writeFileSync(join(town.root, 'go'), '')
    expect((await first).stdout).toContain('merged 1')
  })

  it('eight creations of one id: one wins', async () => {
    await using made = await workTown()
    const { town } = made
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => town.gt('bead', 'create', '--id', 'same', `title ${i}`)),
    )
    expect(all.map((ran) => ran.exitCode).sort()).toEqual([0, 5, 5, 5, 5, 5, 5, 5])
    for (const ran of all)
      if (ran.exitCode === 5) expect(ran.stderr).toContain('there is a bead same already')
    const winner = all.find((ran) => ran.exitCode === 0)
    expect(winner?.stdout).toContain((await bead(town, 'same')).title)
    const { beads } = await town.json<{ beads: unknown[] }>('bead', 'list')
    expect(beads).toHaveLength(1)
  })
})
