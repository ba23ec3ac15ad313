import { beadJson } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'bead reopen',
  aliases: ['issue reopen'],
  group: 'work',
  summary: 'open a closed, failed or deferred bead again',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  examples: ['gt bead reopen issue-123'],
  async run(context, args) {
    const { reopenBead } = await import('../../../app/change-bead.js')
    const bead = reopenBead(await context.town(), args.text(0))
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId} is ${bead.status}` }
  },
})
