import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'pool run',
  group: 'agents',
  summary:
    'fill free places and start dead agents of pools again now (assign, done and status do this by themselves)',
  examples: ['gt pool run'],
  async run(context) {
    const { runPools } = await import('../../../app/run-pools.js')
    const town = await context.town()
    const run = await runPools(town, (line) =>
      context.note(`${new Date(town.clock.now()).toISOString()} ${line}`),
    )
    if (run.busyBy !== undefined)
      return { data: run, text: `another process works on the pools: ${run.busyBy}`, exitCode: 5 }
    return {
      data: run,
      text: `given ${run.given.length}, started again ${run.revived.length}, taken back ${run.takenBack.length}`,
      exitCode: run.problems.length > 0 ? 1 : 0,
    }
  },
})
