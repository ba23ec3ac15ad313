import { describe, expect, it } from 'vitest'
import { type Machine, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

function make(machine: Machine, key: string): void {
  transact(machine.open(), (view) => [
    { o: 'new', id: key, k: 'bead', a: view.shownLength(key), f: { status: 'open' } },
  ])
}

describe('two machines that gave the same short id', () => {
  it('agree on whose grows, and only its maker is told', async () => {
    await using remote = await sharedRemote()
    const [a, b] = [await remote.machine(), await remote.machine()]
    make(a, 'p-aaaaa111111')
    make(b, 'p-aaaaa222222')
    make(b, 'p-bbbbb222222')
    for (const machine of [a, b, a]) await machine.sync()
    for (const snapshots of [false, true]) {
      if (snapshots) for (const { open } of [a, b]) open().compactCache(true)
      const grown = [a, b].map((machine) => machine.open().read().grownIds([machine.clone]))
      expect(grown).toEqual([[], [{ id: 'p-aaaaa222222', announced: 'p-aaaaa', shown: 'p-aaaaa2' }]])
    }
    expect(a.open().read().resolve('bead', 'p-aaaaa')).toMatchObject({ entity: { id: 'p-aaaaa111111' } })
    expect(b.open().read().resolve('bead', 'p-aaaaa2')).toMatchObject({ entity: { id: 'p-aaaaa222222' } })
  })
})
