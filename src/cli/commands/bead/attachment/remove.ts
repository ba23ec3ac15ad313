import { defineCommand } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead attachment remove',
  aliases: ['issue attachment remove'],
  group: 'work',
  summary: 'take an attachment off a bead; the file itself stays',
  args: [
    { name: 'bead', about: 'id, or the start of one', required: true },
    { name: 'attachment', about: 'its key or name', required: true },
  ],
  examples: ['gt bead attachment remove issue-123 trace.log'],
  async run(context, args) {
    const { removeAttachment } = await import('../../../../app/attachments.js')
    const { key, name } = removeAttachment(await context.town(), args.text(0), args.text(1))
    return { data: { removed: key, name }, text: `${plain(name, 300)} is no longer attached` }
  },
})
