import { UsageError } from '../../../domain/errors.js'
import { defineCommand } from '../../command.js'
import { parseCount } from '../../parse-values.js'
import { poolText } from '../../pool-text.js'

export default defineCommand({
  name: 'pool resize',
  group: 'agents',
  summary: 'change how many agents of a pool work at once; those above it finish their beads',
  args: [
    { name: 'pool', about: 'which', required: true },
    { name: 'count', about: 'agents at work at once', required: true },
  ],
  examples: ['gt pool resize pl-4k7q2 8'],
  async run(context, args) {
    const size = parseCount(args.text(1), 'the number', 1)
    if (size === undefined) throw new UsageError('how many?', { code: 'missing-argument' })
    const { resizePool } = await import('../../../app/pools.js')
    const { kickPools } = await import('../../../app/run-pools.js')
    const town = await context.town()
    const pool = resizePool(town, args.text(0), size)
    await kickPools(town, true)
    return { data: { pool }, text: poolText(pool) }
  },
})
