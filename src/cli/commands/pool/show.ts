import { defineCommand } from '../../command.js'
import { poolText } from '../../pool-text.js'

export default defineCommand({
  name: 'pool show',
  group: 'agents',
  summary: 'show a pool: who works on what, and what waits',
  args: [{ name: 'pool', about: 'which', required: true }],
  examples: ['gt pool show pl-4k7q2'],
  readsOnly: true,
  async run(context, args) {
    const { showPool } = await import('../../../app/pools.js')
    const pool = showPool(await context.town(), args.text(0))
    return { data: { pool }, text: poolText(pool) }
  },
})
