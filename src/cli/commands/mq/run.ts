import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'mq run',
  group: 'work',
  summary: 'work the merge queue off now, in the foreground (gt done starts this by itself)',
  examples: ['gt mq run'],
  async run(context) {
    const { runMergeQueue } = await import('../../../app/run-merge-queue.js')
    const { kickPools } = await import('../../../app/run-pools.js')
    const town = await context.town()
    const run = await runMergeQueue(town, (line) =>
      context.note(`${new Date(town.clock.now()).toISOString()} ${line}`),
    )
    // Whoever is done makes room.
    if (run.merged.length > 0) await kickPools(town, true)
    if (run.busyBy !== undefined)
      return { data: run, text: `another process works on the queue: ${run.busyBy}`, exitCode: 5 }
    return {
      data: run,
      text: `merged ${run.merged.length}, returned ${run.returned.length}, waiting ${run.waiting.length}`,
    }
  },
})
