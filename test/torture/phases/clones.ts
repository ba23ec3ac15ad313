import { tryClones } from '../../store/support/clone-trial.js'
import type { Phase } from '../phase.js'

/** Real files are slower to try than histories in memory. */
const HISTORIES_PER_TRIAL = 30

export const clones: Phase = {
  name: 'clones',
  title:
    '2 to 4 real stores exchange files in any order while they write, race, make snapshots and compact; clocks off by ±10 s, and at times in 2099 and back; every write must show at once, and all must end alike',
  async run({ options, tally, folder, progress }) {
    const trials = Math.ceil(options.interleavings / HISTORIES_PER_TRIAL)
    for (let i = 0; i < trials; i++) {
      const seed = options.seed + i
      const { failure, ...counts } = await tryClones(seed, folder)
      tally.fault()
      tally.count('trials')
      for (const [name, count] of Object.entries(counts)) tally.count(name, count)
      tally.checks += counts.writes * 2
      tally.expect(
        failure === undefined,
        () => `${failure}; again with --only clones --interleavings 1 --seed ${seed}`,
      )
      progress(`seed ${seed}`)
    }
  },
}
