import type { Phase } from '../phase.js'

const SECONDS = 60

export const threeClones: Phase = {
  name: 'three-clones',
  title:
    'three clones and a bare remote for a minute, ten writing processes on each, one clone offline half of the time, syncs and compactions all along',
  async run({ tally, runThreeClones, progress }) {
    const counts = await runThreeClones({ seconds: SECONDS, onProgress: progress })
    for (const [name, count] of Object.entries(counts)) tally.count(name, count)
    tally.fault(counts.syncs ?? 0)
    // It throws at the first thing that is not as it should be.
    tally.checks += counts.acknowledged ?? 0
  },
}
