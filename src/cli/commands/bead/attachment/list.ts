import { attachmentLines, attachmentsJson } from '../../../attachment-text.js'
import { defineCommand } from '../../../command.js'

export default defineCommand({
  name: 'bead attachment list',
  aliases: ['issue attachment list'],
  group: 'work',
  summary: 'list what is attached to a bead, and whether it is still there',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  readsOnly: true,
  examples: ['gt bead attachment list issue-123'],
  async run(context, args) {
    const { listAttachments } = await import('../../../../app/attachments.js')
    const attachments = listAttachments(await context.town(), args.text(0))
    return {
      data: { attachments: attachmentsJson(attachments) },
      text: attachments.length === 0 ? 'nothing is attached' : attachmentLines(attachments),
    }
  },
})
