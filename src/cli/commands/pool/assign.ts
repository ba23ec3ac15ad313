import { defineCommand, textOption } from '../../command.js'
import { poolText } from '../../pool-text.js'

export default defineCommand({
  name: 'pool assign',
  group: 'agents',
  summary: 'let beads wait for a place in a pool, and fill the places that are free',
  about: 'Most urgent first. A bead that waits for another one starts when that is merged.',
  args: [{ name: 'bead', about: 'beads, or convoys for all their open beads', required: true, many: true }],
  options: [{ flags: '--pool <pool>', about: 'which pool (default: the only open one)' }],
  examples: ['gt pool assign issue-1 issue-2 issue-3', 'gt pool assign cv-atqek --pool pl-4k7q2'],
  async run(context, args, options) {
    const { assignToPool, choosePool, showPool } = await import('../../../app/pools.js')
    const { openBeadsOf } = await import('../../../app/convoys.js')
    const { runPools } = await import('../../../app/run-pools.js')
    const town = await context.town()
    const view = town.ledger.read()
    const chosen = choosePool(view, textOption(options, 'pool'))
    const beads = args.list(0).flatMap((typed) => openBeadsOf(view, typed) ?? [typed])
    assignToPool(town, chosen.id, beads)
    const run = await runPools(town, (line) => context.note(line))
    const pool = showPool(town, chosen.id)
    if (run.busyBy !== undefined) context.note('another process fills the places now')
    return {
      data: { pool, run },
      text: poolText(pool),
      exitCode: run.problems.length > 0 && run.given.length === 0 ? 1 : 0,
    }
  },
})
