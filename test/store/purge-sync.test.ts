import { readdirSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { openUpkeep } from '../../src/store/open-upkeep.js'
import { dumpStore } from './support/dump.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

const SECRET = 'hunter2-hunter2'
const LONG_SECRET = `${SECRET} `.repeat(6000)

function holdsSecret(machine: Machine): boolean {
  const files = (dir: string): string[] =>
    readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? files(join(dir, entry.name)) : [join(dir, entry.name)],
    )
  return files(machine.dir)
    .filter((path) => !path.includes('/.git/'))
    .some((path) => readFileSync(path, 'latin1').includes(SECRET))
}

function care(machine: Machine) {
  return openUpkeep(machine.dir, { sync: 'os' })
}

describe('compaction, squash and purge between machines', () => {
  it('change nothing for the other side, in any order', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    transact(a.open(), () => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'T' } }])
    for (let round = 0; round < 4; round++) {
      for (const machine of [a, b]) {
        const ledger = machine.open({ segmentLimitBytes: 600 })
        for (let i = 0; i < 6; i++) {
          if (ledger.read().get('x') !== undefined)
            transact(ledger, () => [{ o: 'say', id: 'x', x: `${round}.${i}` }])
        }
        if (round % 2 === 0) await care(machine).compact()
        if (round > 1) await care(machine).packHistory({ squash: true })
        expect(await machine.sync()).toMatchObject({ refused: [] })
        if (round === 2) await care(machine).compact()
      }
    }
    for (const machine of [a, b, a]) expect(await machine.sync()).toMatchObject({ refused: [] })
    expect(dumpStore(a.dir, 'log only').entities).toEqual(dumpStore(b.dir, 'log only').entities)
    expect(a.open().read().comments('x').length).toBeGreaterThan(40)
    expect(remote.git('for-each-ref', '--format=%(refname)').trim().split('\n')).toHaveLength(2)
  })

  it('a purge on one reaches the other and the branches of the remote', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    transact(a.open(), (): Op[] => [{ o: 'new', id: 'x', k: 'bead', f: { title: 'T', notes: LONG_SECRET } }])
    await a.sync()
    await b.sync()
    transact(b.open(), (): Op[] => [
      { o: 'set', id: 'x', f: { description: SECRET } },
      { o: 'new', id: 'y', k: 'bead', f: {} },
    ])
    await b.sync()
    await a.sync()
    expect([holdsSecret(a), holdsSecret(b)]).toEqual([true, true])
    await care(a).purge({ id: 'x', what: ['f:notes', 'f:description'], by: 'human' })
    expect(await a.sync()).toMatchObject({ refused: [] })
    expect(await b.sync()).toMatchObject({ refused: [] })
    expect(b.open().read().get('x')?.fields).toEqual({ title: 'T' })
    for (const name of readdirSync(join(b.dir, 'blob'))) utimesSync(join(b.dir, 'blob', name), 1, 1)
    expect(await care(b).due()).toContain('purge')
    await care(b).finishPurges()
    await b.sync()
    expect(await a.sync()).toMatchObject({ refused: [] })
    expect([holdsSecret(a), holdsSecret(b)]).toEqual([false, false])
    const pick = ['log', '--all', '--text', '-S', 'T"', '--format=%H']
    expect(remote.git(...pick)).not.toBe('')
    expect(remote.git(...pick.with(4, SECRET))).toBe('')
    expect(a.open().read().get('y')).toBeDefined()
    expect(dumpStore(a.dir, 'log only').entities).toEqual(dumpStore(b.dir, 'log only').entities)
  })
})
