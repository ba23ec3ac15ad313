import { beadJson } from '../../../bead-text.js'
import { defineCommand } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead label remove',
  aliases: ['issue label remove'],
  group: 'work',
  summary: 'take labels off a bead',
  args: [
    { name: 'bead', about: 'id, or the start of one', required: true },
    { name: 'labels', about: 'one or more', required: true, many: true },
  ],
  examples: ['gt bead label remove issue-123 urgent'],
  async run(context, args) {
    const { updateBead } = await import('../../../../app/change-bead.js')
    const bead = updateBead(await context.town(), args.text(0), { removeLabels: args.list(1) })
    const labels =
      bead.labels.length === 0 ? 'no labels' : bead.labels.map((label) => plain(label)).join(', ')
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId}: ${labels}` }
  },
})
