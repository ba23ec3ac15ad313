import { defineCommand } from '../../command.js'
import { age, plain, table } from '../../table.js'

export default defineCommand({
  name: 'mq list',
  group: 'work',
  summary: 'list the merge queue',
  options: [{ flags: '--all', about: 'merged and returned entries too' }],
  examples: ['gt mq list', 'gt mq list --all'],
  async run(context, _args, options) {
    const { listMerges } = await import('../../../app/retry-merge.js')
    const town = await context.town()
    const merges = listMerges(town, options.all === true)
    const now = town.clock.now()
    const rows = merges.map((m) => [
      m.shownId,
      m.status,
      m.bead,
      m.agent,
      age(m.createdAt, now),
      plain(m.reason ?? m.branch, 100),
    ])
    return {
      data: { merges },
      text:
        merges.length === 0
          ? 'the merge queue is empty'
          : table(rows, ['ENTRY', 'STATUS', 'BEAD', 'AGENT', 'AGE', 'WHY']),
    }
  },
})
