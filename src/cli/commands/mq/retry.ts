import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'mq retry',
  group: 'work',
  summary: 'try entries again that wait or whose worker died',
  args: [{ name: 'entry', about: 'ids, or beads (default: all that wait)', many: true }],
  examples: ['gt mq retry', 'gt mq retry mq-4k7q2'],
  async run(context, args) {
    const { kickMergeQueue } = await import('../../../app/run-merge-queue.js')
    const { listMerges, retryMerge } = await import('../../../app/retry-merge.js')
    const town = await context.town()
    const given = args.list(0)
    const entries =
      given.length > 0
        ? given
        : listMerges(town, false)
            .filter((m) => m.status === 'waiting')
            .map((m) => m.id)
    const merges = entries.map((entry) => retryMerge(town, entry))
    const started = await kickMergeQueue(town)
    return {
      data: { retried: merges.map((m) => m.shownId), started },
      text:
        merges.length === 0 && !started
          ? 'nothing waits'
          : [
              ...merges.map((m) => `${m.shownId} is queued again`),
              ...(started ? ['the queue is being worked on: gt mq list'] : []),
            ],
    }
  },
})
