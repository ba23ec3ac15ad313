import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { testTown, until } from '../support/test-town.js'

const CATS = `
[runtimes.cat]
command = ["cat"]

[roles.crew]
runtime = "cat"
`

async function catTown() {
  const town = await testTown({ toml: CATS })
  await town.ok('rig', 'add', 'proj', town.makeRepository('project', { 'a.txt': 'a\n' }))
  for (const [bead, name] of [
    ['b-1', 'ann'],
    ['b-2', 'bob'],
  ] as const) {
    await town.ok('bead', 'create', '--id', bead, bead)
    await town.ok('sling', bead, 'proj', '--agent', 'cat', '--name', name)
  }
  return town
}

describe('talking to running agents', () => {
  it('send puts the words alone, nudge says who speaks, broadcast reaches everybody', async () => {
    await using town = await catTown()
    const sent = await town.json<{ receipt: { kind: string } }>('send', 'ann', 'do', 'the', 'German', 'texts')
    expect(sent.receipt.kind).toBe('shown')
    await until('the text', async () => (await town.ok('peek', 'ann')).includes('do the German texts'))
    const said = await town.json<{ told: { agent: string }[]; failed: unknown[] }>('broadcast', 'main moved')
    expect(said.told.map(({ agent }) => agent).sort()).toEqual(['proj/ann', 'proj/bob'])
    expect(said.failed).toEqual([])
    await until('it at bob', async () => (await town.ok('peek', 'bob')).includes('main moved'))
  })

  it('says who could not be reached, and that nobody runs', async () => {
    await using town = await catTown()
    await town.ok('agent', 'stop', 'ann')
    expect(await town.gt('send', 'ann', 'hello')).toMatchObject({ exitCode: 5 })
    await town.ok('agent', 'stop', 'bob')
    const nobody = await town.gt('broadcast', 'hello')
    expect(nobody).toMatchObject({ exitCode: 4 })
    expect(nobody.stderr).toContain('nobody runs')
    expect(await town.gt('broadcast', 'hello', '--rig', 'nowhere')).toMatchObject({ exitCode: 4 })
    expect((await town.gt('broadcast')).exitCode).not.toBe(0)
  })

  it('restart ends the session and starts another one', async () => {
    await using town = await catTown()
    const before = await town.json<{ agent: { since: string } }>('agent', 'show', 'ann')
    await town.ok('agent', 'restart', 'ann', '--fresh')
    const after = await town.json<{ agent: { since: string; state: string } }>('agent', 'show', 'ann')
    expect(after.agent.since > before.agent.since).toBe(true)
    expect(await town.gt('agent', 'restart', 'nobody')).toMatchObject({ exitCode: 4 })
  })
})

describe('gt check', () => {
  it('records what is proven gone, once, and says nothing about what cannot be asked', async () => {
    await using town = await catTown()
    expect(await town.ok('check')).toContain('records and reality agree')
    execFileSync('tmux', ['-S', town.socket, 'kill-server'], { env: town.env })
    const gone = await town.gt('check', '--json')
    expect(gone.exitCode).toBe(1)
    const { sessions } = JSON.parse(gone.stdout) as { sessions: { kind: string; agent: string }[] }
    expect(sessions.map(({ kind }) => kind)).toEqual(['lost', 'lost'])
    expect(await town.ok('check')).toContain('records and reality agree')
    expect((await town.ok('events')).match(/session\.lost/g)).toHaveLength(2)
    expect(await town.ok('agents')).toContain('failed')
    expect(await town.gt('check', 'nobody')).toMatchObject({ exitCode: 4 })
  })
})

describe('gt wait', () => {
  it('returns when a bead is closed, an agent is at rest, and after a time-out', async () => {
    await using town = await catTown()
    const late = await town.gt('wait', 'b-1', '--timeout', '300ms')
    expect(late).toMatchObject({ exitCode: 7 })
    expect(late.stderr).toContain('b-1 is hooked')
    const [waited] = await Promise.all([
      town.gt('wait', 'b-2', '--timeout', '30s'),
      town.ok('unsling', 'b-2').then(() => town.ok('bead', 'close', 'b-2')),
    ])
    expect(waited).toMatchObject({ exitCode: 0 })
    await town.ok('agent', 'stop', 'ann')
    expect(await town.ok('wait', 'ann', '--timeout', '30s')).toContain('proj/ann is stopped')
  })

  it('ends as soon as what it waits for cannot come, and refuses states that do not exist', async () => {
    await using town = await catTown()
    await town.ok('agent', 'stop', 'ann')
    const hopeless = await town.gt('wait', 'ann', '--for', 'working')
    expect(hopeless).toMatchObject({ exitCode: 1 })
    expect(hopeless.stderr).toContain('will not come')
    expect(await town.gt('wait', 'ann', '--for', 'asleep')).toMatchObject({ exitCode: 2 })
    expect(await town.gt('wait', 'ann', '--timeout', 'soon')).toMatchObject({ exitCode: 2 })
    expect(await town.gt('wait', 'nothing')).toMatchObject({ exitCode: 4 })
  })
})
