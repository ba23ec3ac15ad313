import { availableParallelism } from 'node:os'
import type { Phase, PhaseContext } from '../phase.js'
import type { InterleaverOrder, InterleaverSaid } from '../workers/interleaver.js'

export const interleavings: Phase = {
  name: 'interleavings',
  title:
    'random histories of 2 to 4 clones, clocks off by ±10 s and jumping, folded in any order, with repeats, compacted once and twice, and compared with a plain model',
  async run(context) {
    const { interleavings: count, seed } = context.options
    const workers = Math.min(Math.max(1, availableParallelism()), 4)
    const share = Math.ceil(count / workers)
    await Promise.all(
      Array.from({ length: workers }, (_, i) => {
        const firstSeed = seed + i * share
        return runShare(context, { firstSeed, count: Math.max(0, Math.min(share, seed + count - firstSeed)) })
      }),
    )
  },
}

async function runShare({ crew, tally, progress }: PhaseContext, order: InterleaverOrder): Promise<void> {
  let done = 0
  const { ended } = crew.start('interleaver', order, {
    onLine: (line) => {
      const said = JSON.parse(line) as InterleaverSaid
      if (said.kind === 'failure') {
        tally.lose(
          `${said.what}; again with --only interleavings --interleavings 1 --seed ${said.seed}; the smallest history: ${said.chains}`,
        )
        return
      }
      done += said.trials
      tally.fault(said.trials)
      tally.checks += said.folds
      tally.count('histories', said.trials)
      tally.count('records', said.records)
      tally.count('orders folded', said.folds)
      tally.count('lost races (void records)', said.races)
      progress(`seeds from ${order.firstSeed}`)
    },
  })
  const { exitCode, stderr } = await ended
  tally.expect(
    exitCode === 0 && (done === order.count || tally.lossCount > 0),
    () => `seeds from ${order.firstSeed}: ${done} of ${order.count} were tried: ${stderr}`,
  )
}
