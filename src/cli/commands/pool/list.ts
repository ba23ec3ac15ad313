import { defineCommand } from '../../command.js'
import { poolLine } from '../../pool-text.js'

export default defineCommand({
  name: 'pool list',
  group: 'agents',
  summary: 'list open pools: places, agents at work, beads waiting',
  options: [{ flags: '--all', about: 'stopped ones, too' }],
  examples: ['gt pool list'],
  readsOnly: true,
  async run(context, _args, options) {
    const { listPools } = await import('../../../app/pools.js')
    const town = await context.town()
    const pools = listPools(town, town.ledger.read(), options.all === true)
    return {
      data: { pools },
      text: pools.length === 0 ? 'no pools; open one: gt pool start RIG --count 4' : pools.map(poolLine),
    }
  },
})
