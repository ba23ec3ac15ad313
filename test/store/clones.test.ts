import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { tryClones } from './support/clone-trial.js'

const TRIALS = 40

it('stores that exchange files in any order, race, compact and jump in time read what they wrote and end up alike', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gt-clones-'))
  const sum = { races: 0, compacted: 0, deliveries: 0, clockJumps: 0 }
  try {
    for (let seed = 1; seed <= TRIALS; seed++) {
      const { failure, races, compacted, deliveries, clockJumps } = await tryClones(seed, folder)
      expect(failure, `seed ${seed}`).toBeUndefined()
      sum.races += races
      sum.compacted += compacted
      sum.deliveries += deliveries
      sum.clockJumps += clockJumps
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  // What was meant to happen did happen.
  expect(Math.min(...Object.values(sum)), JSON.stringify(sum)).toBeGreaterThan(20)
})
