import { defineCommand } from '../../command.js'
import { poolText } from '../../pool-text.js'

export default defineCommand({
  name: 'pool stop',
  group: 'agents',
  summary: 'give out no more beads of a pool; what waits is free again, agents at work finish',
  args: [{ name: 'pool', about: 'which', required: true }],
  examples: ['gt pool stop pl-4k7q2'],
  async run(context, args) {
    const { stopPool } = await import('../../../app/pools.js')
    const pool = stopPool(await context.town(), args.text(0))
    return { data: { pool }, text: poolText(pool) }
  },
})
