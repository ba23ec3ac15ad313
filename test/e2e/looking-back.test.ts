import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { GT } from '../support/run-gt.js'
import { testTown, until } from '../support/test-town.js'

describe('gt bead history, gt log and gt events', () => {
  it('tell what happened to a bead, by whom and when', async () => {
    await using town = await testTown()
    await town.ok('bead', 'create', '--id', 'a-1', 'first')
    await town.ok('bead', 'create', '--id', 'a-2', 'other')
    await town.ok('bead', 'update', 'a-1', '--title', 'second')
    await town.ok('bead', 'comment', 'a-1', 'a note')
    await town.ok('bead', 'close', 'a-1', '-r', 'done')
    await town.ok('bead', 'close', 'a-2')
    const history = await town.ok('bead', 'history', 'a-1')
    expect(history).toMatch(/human {2}made\n.*title null -> "first"/)
    expect(history).toContain('title "first" -> "second"')
    expect(history).toContain('comment: a note')
    expect(history).toContain('status "open" -> "closed"')
    expect(history).toContain('bead.closed')
    const json = await town.json<{ entries: { verdict: string }[]; compacted_up_to: null }>(
      'bead',
      'history',
      'a-1',
    )
    expect(json.entries).toHaveLength(4)
    expect(json.compacted_up_to).toBeNull()

    expect(await town.ok('log', '-n', '1')).toMatch(/human {2}a-2 -> generation 2 status="closed"/)
    const records = await town.json<{ records: { ops: object[] }[] }>('log', '--bead', 'a-1')
    expect(records.records).toHaveLength(4)
    expect(records.records.at(-1)?.ops[0]).toMatchObject({ o: 'new', id: 'a-1' })
    expect(await town.ok('log', '--by', 'nobody')).toBe('nothing is recorded\n')
    expect(await town.ok('log', '--until', '1h')).toBe('nothing is recorded\n')
    expect((await town.json<{ records: object[] }>('log', '--since', '1h')).records).toHaveLength(6)

    const types = async (...args: string[]) =>
      (await town.json<{ events: { type: string; data: { bead: string } }[] }>('events', ...args)).events.map(
        ({ data }) => data.bead,
      )
    expect(await types()).toEqual(['a-1', 'a-2'])
    expect(await types('--bead', 'a-2')).toEqual(['a-2'])
    expect(await types('--until', '1h')).toEqual([])
    expect(await types('--since', '1h', '--type', 'bead.closed', '-n', '1')).toEqual(['a-2'])
    expect((await town.gt('events', '--agent', 'nobody')).exitCode).toBe(4)
    expect((await town.gt('events', '--since', 'soon')).exitCode).toBe(2)
    expect((await town.gt('bead', 'history', 'nothing')).exitCode).toBe(4)
  })

  it('follow events as they are recorded, each once, until Ctrl-C', async () => {
    await using town = await testTown()
    for (const id of ['a-1', 'a-2']) await town.ok('bead', 'create', '--id', id, 'first')
    await town.ok('bead', 'close', 'a-1')
    const child = spawn(GT, ['events', '-f', '--json', '--type', 'bead.closed'], {
      cwd: town.root,
      env: town.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const beads = () =>
      output
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { data: { bead: string } }).data.bead)
    await until('the event from before', () => beads().length === 1)
    await town.ok('bead', 'reopen', 'a-1')
    await town.ok('bead', 'close', 'a-2')
    await until('the new event', () => beads().length >= 2)
    child.kill('SIGINT')
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(beads()).toEqual(['a-1', 'a-2'])
    expect(code).toBe(130)
  })
})
