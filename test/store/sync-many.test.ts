import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Op } from '../../src/domain/record.js'
import { beads, claim, expectSame, make } from './support/machines.js'
import { Seeded } from './support/seeded.js'
import { type Machine, sharedRemote } from './support/shared-remote.js'
import { transact } from './support/temp-store.js'

interface ThreeClones {
  run(options: { seconds: number; processes: number }): Promise<{ acknowledged: number; syncs: number }>
}

describe('many clones', () => {
  it('push at once, and none is refused because of another', async () => {
    await using remote = await sharedRemote()
    const machines = await Promise.all(Array.from({ length: 8 }, () => remote.machine()))
    for (let round = 0; round < 3; round++) {
      for (const [i, machine] of machines.entries()) make(machine, `m${i}-${round}`)
      const receipts = await Promise.all(machines.map((machine) => machine.sync()))
      for (const receipt of receipts) expect(receipt).toMatchObject({ sent: { records: 1 }, refused: [] })
    }
    for (const machine of machines) await machine.sync()
    expect(beads(machines[0] as Machine)).toHaveLength(24)
    expectSame(...machines)
  })

  it('come to one state by any order of syncs, compactions and writes', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      await using remote = await sharedRemote(seed % 2 === 0 ? 'hidden' : 'branches')
      const random = new Seeded(seed)
      const machines = await Promise.all(
        Array.from({ length: 2 + random.below(3) }, () => remote.machine({ segmentLimitBytes: 700 })),
      )
      for (let step = 0; step < 40; step++) {
        const machine = random.pick(machines)
        const what = random.next()
        if (what < 0.25) await machine.sync()
        else if (what < 0.32) await machine.upkeep({ segmentLimitBytes: 700 }).compact()
        else write(machine, random, `${seed}-${step}`)
      }
      for (let round = 0; round < 2; round++)
        for (const machine of machines) {
          const receipt = await machine.sync()
          expect(receipt, `seed ${seed}`).toMatchObject({ refused: [], damagedLines: 0 })
          expect(receipt.renamed).toBeUndefined()
        }
      expectSame(...machines)
      for (const machine of machines)
        expect(await machine.sync()).toMatchObject({ sent: { bytes: 0 }, received: [] })
    }
  })

  it('written by ten processes each, while one is often offline, end in one state, every record once', async () => {
    const path = join(import.meta.dirname, '../../bench/three-clones.mjs')
    const { run } = (await import(path)) as ThreeClones
    const counts = await run({ seconds: 5, processes: 10 })
    expect(counts.acknowledged).toBeGreaterThanOrEqual(150)
    expect(counts.syncs).toBeGreaterThan(3)
  })
})

function write(machine: Machine, random: Seeded, name: string): void {
  const known = beads(machine)
  if (known.length === 0 || random.chance(0.4)) {
    make(machine, name)
    return
  }
  const id = random.pick(known)
  if (random.chance(0.5)) claim(machine, id, `proj/${name}`)
  else
    transact(machine.open(), () => [
      { o: 'set', id, f: { title: name } } satisfies Op,
      { o: 'add', id, f: 'labels', x: [random.pick(['red', 'blue'])] },
      { o: 'say', id, x: name },
    ])
}
