import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { testTown, until } from '../support/test-town.js'

/** A long-lived helper: hands in its bead, and stays. */
const CREW = `
[runtimes.helper]
command = ["sh", "-c", "echo x > new.txt; git add new.txt; git commit -qm 'add new'; gt done; sleep 1000"]

[roles.crew]
runtime = "helper"
`

describe('an agent whose role never ends', () => {
  it('stays after its merge, until it is removed with its tree saved', async () => {
    await using town = await testTown({ toml: CREW })
    const project = town.makeRepository('project', { 'a.txt': 'a\n' })
    await town.ok('rig', 'add', 'proj', project)
    await town.ok('bead', 'create', '--id', 'b-1', 'add new')
    await town.ok('sling', 'b-1', 'proj', '--role', 'crew', '--name', 'ann')
    await until('the merge', async () => (await town.ok('bead', 'show', 'b-1')).includes('status closed'))

    const worktree = join(town.root, 'rigs/proj/work/ann')
    expect(existsSync(worktree)).toBe(true)
    const refused = await town.gt('rig', 'remove', 'proj')
    expect(refused).toMatchObject({ exitCode: 5 })
    expect(refused.stderr).toContain('gt agent remove proj/ann')

    town.git(worktree, 'checkout', '-q', '-b', 'notes')
    town.git(worktree, 'commit', '-q', '--allow-empty', '-m', 'a thought')
    const removed = await town.json<{ agent: string; salvage: string }>('agent', 'remove', 'ann')
    expect(removed.agent).toBe('proj/ann')
    expect(town.git(project, 'log', '-2', '--format=%s', removed.salvage)).toContain('a thought')
    expect(existsSync(worktree)).toBe(false)
    await town.ok('rig', 'remove', 'proj')
    expect(await town.ok('rig', 'list')).toContain('no rigs')
  })

  it('is not removed while it holds a bead', async () => {
    await using town = await testTown({ toml: '[runtimes.sleeper]\ncommand = ["sleep", "1000"]\n' })
    await town.ok('rig', 'add', 'proj', town.makeRepository('project', { 'a.txt': 'a\n' }))
    await town.ok('bead', 'create', '--id', 'b-1', 'x')
    await town.ok('sling', 'b-1', 'proj', '--agent', 'sleeper', '--name', 'ann')
    const refused = await town.gt('agent', 'remove', 'ann')
    expect(refused).toMatchObject({ exitCode: 5 })
    expect(refused.stderr).toContain('gt unsling b-1')
  })
})
