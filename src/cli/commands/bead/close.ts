import { beadJson } from '../../bead-text.js'
import { defineCommand, textOption } from '../../command.js'

export default defineCommand({
  name: 'bead close',
  aliases: ['issue close'],
  group: 'work',
  summary: 'close a bead by hand',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  options: [{ flags: '-r, --reason <text>', about: 'why' }],
  examples: ['gt bead close issue-123 -r "not needed any more"'],
  async run(context, args, options) {
    const { closeBead } = await import('../../../app/change-bead.js')
    const bead = closeBead(await context.town(), args.text(0), textOption(options, 'reason'))
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId} is ${bead.status}` }
  },
})
