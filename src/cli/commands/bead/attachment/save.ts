import { defineCommand } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead attachment save',
  aliases: ['issue attachment save'],
  group: 'work',
  summary: 'write an attachment of a bead to a file',
  args: [
    { name: 'bead', about: 'id, or the start of one', required: true },
    { name: 'attachment', about: 'its key or name, as gt bead show says them', required: true },
    { name: 'file', about: 'where to (default: its name, here)' },
  ],
  options: [{ flags: '--force', about: 'over a file that is there' }],
  examples: ['gt bead attachment save issue-123 trace.log /tmp/trace.log'],
  async run(context, args, options) {
    const { saveAttachment } = await import('../../../../app/attachments.js')
    const target = args.optional(2)
    const saved = saveAttachment(await context.town(), args.text(0), {
      name: args.text(1),
      cwd: context.io.cwd,
      force: options.force === true,
      ...(target === undefined ? {} : { target }),
    })
    return {
      data: { path: saved.path, size_bytes: saved.sizeBytes, from: saved.from },
      text: `${saved.sizeBytes} bytes written to ${plain(saved.path, 300)} (from the ${saved.from})`,
    }
  },
})
