import { describe, expect, it } from 'vitest'
import { type TestTown, testTown, until } from '../support/test-town.js'

interface PoolJson {
  pool: {
    id: string
    size: number
    status: string
    atWork: { agent: string; bead: string }[]
    waiting: string[]
  }
}

/** Works until a file says that it may hand in; `die` in its place ends it at once. */
const WORKER = `
[runtimes.worker]
command = ["sh", "-c", 'while [ ! -e "$HOME/go" ]; do [ -e "$HOME/die" ] && exit 3; sleep 0.1; done; echo "$GT_BEAD" > "$GT_BEAD.txt"; git add -A; git commit -qm "$GT_BEAD"; gt done; sleep 1000']
pass_env = ["HOME"]
`

async function poolTown(beads: readonly string[], options: { toml?: string } = {}) {
  const town = await testTown({ toml: WORKER + (options.toml ?? '') })
  await town.ok('rig', 'add', 'proj', town.makeRepository('project', { 'a.txt': 'a\n' }))
  for (const bead of beads) await town.ok('bead', 'create', '--id', bead, bead)
  return town
}

const show = async (town: TestTown, id: string) => (await town.json<PoolJson>('pool', 'show', id)).pool
const statusOf = async (town: TestTown, bead: string) =>
  (await town.json<{ bead: { status: string } }>('bead', 'show', bead)).bead.status

describe('a pool', () => {
  it('keeps its places filled until every bead is merged', async () => {
    const beads = ['b-1', 'b-2', 'b-3', 'b-4', 'b-5']
    await using town = await poolTown(beads)
    const { pool } = await town.json<PoolJson>('pool', 'start', '--count', '2', '--agent', 'worker', 'proj')
    expect(await town.ok('agents')).toContain('no agents')

    const assigned = await town.json<PoolJson>('pool', 'assign', ...beads)
    expect(assigned.pool.atWork.map(({ bead }) => bead)).toEqual(['b-1', 'b-2'])
    expect(assigned.pool.waiting).toEqual(['b-3', 'b-4', 'b-5'])
    expect(await town.ok('status')).toContain('2 of 2 at work, 3 waiting')

    town.writeHome('go', '')
    await until('all merged', async () => {
      const all = await Promise.all(beads.map((bead) => statusOf(town, bead)))
      return all.every((status) => status === 'closed')
    })
    expect(await show(town, pool.id)).toMatchObject({ atWork: [], waiting: [] })
  }, 120_000)

  it('starts an agent again that dies, twice; then gives its bead back and says so', async () => {
    await using town = await poolTown(['b-1'])
    await town.ok('pool', 'start', 'proj', '--count', '1', '--agent', 'worker')
    await town.ok('pool', 'assign', 'b-1')
    town.writeHome('die', '')
    await until('the bead is open again', async () => {
      await town.gt('pool', 'run')
      return (await statusOf(town, 'b-1')) === 'open'
    })
    const events = await town.ok('events')
    expect(events.match(/session\.spawned/g)).toHaveLength(3)
    expect(await town.ok('mail', 'inbox')).toContain('b-1 is open again')
    const [pool] = (await town.json<{ pools: PoolJson['pool'][] }>('pool', 'list')).pools
    expect(pool).toMatchObject({ atWork: [], waiting: [] })
  }, 120_000)

  it('never gives out again what a person took back, and leaves alone what a person stopped', async () => {
    await using town = await poolTown(['b-1', 'b-2'])
    await town.ok('pool', 'start', 'proj', '--count', '2', '--agent', 'worker')
    const { pool } = await town.json<PoolJson>('pool', 'assign', 'b-1', 'b-2')
    const second = pool.atWork.find(({ bead }) => bead === 'b-2')
    await town.ok('agent', 'stop', second?.agent ?? '')
    await town.ok('unsling', 'b-1')
    await town.ok('pool', 'run')
    expect(await statusOf(town, 'b-1')).toBe('open')
    expect((await show(town, pool.id)).atWork).toEqual([second])
    expect(await town.ok('agents')).toContain('stopped')
  })

  it('waits for the limit of the rig, and goes on when there is room', async () => {
    await using town = await poolTown(['b-1', 'b-2'])
    town.replaceInToml('[rigs.proj]', '[rigs.proj]\nmax_agents = 1')
    await town.ok('pool', 'start', 'proj', '--count', '5', '--agent', 'worker')
    const { pool } = await town.json<PoolJson>('pool', 'assign', 'b-1', 'b-2')
    expect(pool.atWork).toHaveLength(1)
    expect(await town.ok('pool', 'list')).toContain('the limit of proj is 1')
    const refused = await town.gt('sling', 'b-2', 'proj', '--agent', 'worker')
    expect(refused).toMatchObject({ exitCode: 1 })
    expect(refused.stderr).toContain('max_agents')
    await town.ok('unsling', 'b-1')
    await town.ok('pool', 'run')
    expect(await statusOf(town, 'b-2')).toBe('hooked')
  })

  it('refuses what makes no sense, in words', async () => {
    await using town = await poolTown(['b-1'])
    const none = await town.gt('pool', 'assign', 'b-1')
    expect(none).toMatchObject({ exitCode: 2 })
    expect(none.stderr).toContain('gt pool start')
    expect((await town.gt('pool', 'start', 'proj')).stderr).toContain('--count')
    expect(await town.gt('pool', 'start', 'nowhere', '--count', '1')).toMatchObject({ exitCode: 4 })
    expect((await town.gt('pool', 'start', 'proj', '--count', '0')).stderr).toContain('at least 1')
    const { pool } = await town.json<PoolJson>('pool', 'start', 'proj', '--count', '1', '--agent', 'worker')
    expect(await town.gt('pool', 'assign', 'b-9')).toMatchObject({ exitCode: 4 })
    await town.ok('pool', 'stop', pool.id)
    const stopped = await town.gt('pool', 'assign', 'b-1', '--pool', pool.id)
    expect(stopped).toMatchObject({ exitCode: 5 })
    expect(await town.ok('pool', 'stop', pool.id)).toContain('stopped')
  })
})
