import { describe, expect, it } from 'vitest'
import { until } from '../support/test-town.js'
import { Terminal } from './support-terminal.js'
import { bead, commitFile, createBeads, handIn, slingOne, workTown } from './support-work.js'

describe('gt agents on a terminal', () => {
  it('shows the town, and its keys do what they say', async () => {
    await using made = await workTown()
    const { town } = made
    await createBeads(town, 'd-1', 'd-2', 'd-3')
    await town.ok('convoy', 'create', 'a delivery', 'd-1', 'd-2')
    const first = await slingOne(town, 'd-1', 'proj', '--name', 'ann')
    await slingOne(town, 'd-2', 'proj', '--name', 'bob')
    await using terminal = new Terminal(town)
    await terminal.start('gt agents')

    const shown = await terminal.shows(/proj\/bob/)
    expect(shown).toContain('proj/ann')
    expect(shown).toContain('do d-1')
    expect(await terminal.shows(/a delivery/)).toMatch(/0\/2/)

    // A reply goes to the selected agent, and its echo shows in the live preview.
    await terminal.type('g', 'i')
    await terminal.words('how far are you?')
    await terminal.type('Enter')
    await terminal.shows(/shown: /)
    const echoed = await until('the text in a pane', async () => {
      const both = await Promise.all(['ann', 'bob'].map((name) => town.ok('peek', name)))
      return both.find((text) => text.includes('how far are you?'))
    })
    expect(echoed).toContain('[gt]')

    // The filter leaves one.
    await terminal.type('/')
    await terminal.words('bob')
    await until('only bob in the list', async () => !/ann/.test(await terminal.screen()))
    await terminal.type('Enter')
    await terminal.type('D')
    await terminal.shows(/y\/N/)
    await terminal.type('y')
    await terminal.shows(/proj\/bob is stopped/)
    const { agents } = await town.json<{ agents: { id: string; state: string }[] }>('agents')
    expect(agents.find((agent) => agent.id === 'proj/bob')?.state).toBe('stopped')
    expect(agents.find((agent) => agent.id === 'proj/ann')?.state).not.toBe('stopped')
    await terminal.type('/', 'Escape')

    // What happens elsewhere appears by itself, and the queue that nobody works on is set going.
    commitFile(town, first.worktree, 'a.txt', 'x\n')
    await handIn(town, first.agent)
    await until('the merge', async () => (await bead(town, 'd-1')).status === 'closed')
    await terminal.shows(/1\/2/)
    await terminal.type('m')
    await terminal.shows(/d-1/)
    await terminal.type('Escape', '?')
    await terminal.shows(/quit/i)
    await terminal.type('Escape', 'n')
    await terminal.words('d-3 proj')
    await terminal.type('Enter')
    await terminal.shows(/d-3 → proj\//)

    await terminal.type('q')
    await terminal.shows(/exit code 0/)
  })
})
