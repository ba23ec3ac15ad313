import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { type TempStore, tempStore, transact } from './support/temp-store.js'

const DAY_MS = 86_400_000

function git(store: TempStore, ...args: string[]): string {
  return execFileSync('git', ['--git-dir', join(store.dir, '.git'), ...args], { encoding: 'utf8' }).trim()
}

function branch(store: TempStore): string {
  return `refs/heads/beads/${store.clone}`
}

async function commits(store: TempStore, count: number, options = {}): Promise<void> {
  const ledger = store.open(options)
  for (let i = 0; i < count; i++) {
    transact(ledger, () => [{ o: 'ev', type: 'test', data: { i } }])
    await ledger.commitHistory()
  }
}

function expectWhole(store: TempStore): void {
  git(store, 'fsck', '--strict')
  for (const name of readdirSync(store.log)) {
    expect(git(store, 'show', `HEAD:log/${name}`)).toBe(readFileSync(join(store.log, name), 'utf8').trim())
  }
}

describe('the history of the store', () => {
  it('becomes one commit with the same tree after 90 days; the old ones stay under refs/archive', async () => {
    await using store = await tempStore()
    let now = Date.parse('2026-11-20T09:00:00.000Z')
    const clock = { now: () => now }
    await commits(store, 5, { clock })
    const [tip, tree] = git(store, 'log', '-1', '--format=%H %T').split(' ')
    const upkeep = openUpkeep(store.dir, { clock, sync: 'os' })
    expect(await upkeep.due()).toEqual([])
    expect(await upkeep.packHistory()).toMatchObject({ commits: 5 })
    expect(await upkeep.due()).toEqual([])
    expect(git(store, 'rev-parse', 'HEAD')).toBe(tip)
    now += 91 * DAY_MS
    expect(await upkeep.due()).toEqual(['squash'])
    const done = await upkeep.packHistory()
    expect(done).toMatchObject({ commits: 5, archivedAs: expect.stringMatching(/^refs\/archive\/beads\//) })
    expect(git(store, 'log', '--format=%T')).toBe(tree)
    expect(git(store, 'rev-list', '--count', done.archivedAs ?? '')).toBe('5')
    expect(git(store, 'rev-parse', done.archivedAs ?? '')).toBe(tip)
    expect(await upkeep.due()).toEqual([])
    await commits(store, 1, { clock })
    expect(git(store, 'rev-list', '--count', 'HEAD')).toBe('2')
    expectWhole(store)
  })

  it('is packed after 500 commits', async () => {
    await using store = await tempStore()
    const upkeep = openUpkeep(store.dir, { sync: 'os' })
    await commits(store, 30)
    expect(await upkeep.due()).toEqual([])
    await upkeep.packHistory()
    const note = join(store.dir, 'local/history')
    const count = JSON.parse(readFileSync(note, 'utf8'))
    expect(count.commits).toBe(30)
    writeFileSync(note, JSON.stringify({ ...count, commits: 529 }))
    expect(await upkeep.due()).toEqual([])
    await commits(store, 1)
    expect(await upkeep.due()).toEqual(['gc'])
    expect(Number(/^count: (\d+)/m.exec(git(store, 'count-objects', '-v'))?.[1])).toBeGreaterThan(0)
    const { before, after } = await upkeep.packHistory()
    expect(git(store, 'count-objects', '-v')).toMatch(/^count: 0$/m)
    expect(after).toBeLessThan(before)
    expect(await upkeep.due()).toEqual([])
  })

  it('loses no commit that is made at the same time', async () => {
    await using store = await tempStore()
    await commits(store, 3)
    const upkeep = openUpkeep(store.dir, { sync: 'os' })
    let squashes = 0
    const care = async () => {
      for (let i = 0; i < 4; i++) {
        if ((await upkeep.packHistory({ squash: true })).archivedAs !== undefined) squashes++
      }
    }
    await Promise.all([commits(store, 6), commits(store, 6), care(), commits(store, 6)])
    await store.open().commitHistory()
    expect(squashes).toBeGreaterThan(0)
    expectWhole(store)
    const archived = git(store, 'for-each-ref', '--format=%(refname)', 'refs/archive').split('\n')
    expect(archived.length).toBeGreaterThanOrEqual(squashes)
    expect(existsSync(join(store.dir, 'local/damaged.git'))).toBe(false)
  })

  it('survives an end at any step of it', async () => {
    for (const step of ['history:archived', 'history:squashed', 'history:before-gc']) {
      await using store = await tempStore()
      await commits(store, 4)
      const dying = openUpkeep(store.dir, {
        sync: 'os',
        onStep: (at) => {
          if (at === step) throw new Error('died')
        },
      })
      await expect(dying.packHistory({ squash: true })).rejects.toThrow('died')
      await commits(store, 1)
      await openUpkeep(store.dir, { sync: 'os' }).packHistory({ squash: true })
      expectWhole(store)
      expect(git(store, 'rev-list', '--count', branch(store))).toBe('1')
      const kept = git(store, 'rev-list', '--count', '--glob=refs/archive/*')
      expect(Number(kept)).toBeGreaterThanOrEqual(5)
    }
  })

  it('is left alone in a store that never committed', async () => {
    await using store = await tempStore()
    const upkeep = openUpkeep(store.dir, { sync: 'os' })
    expect(await upkeep.due()).toEqual([])
    expect(await upkeep.packHistory({ squash: true })).toMatchObject({ commits: 0 })
    expect(statSync(join(store.dir, '.git')).isDirectory()).toBe(true)
  })
})
