import { attachmentLines, attachmentsJson } from '../../attachment-text.js'
import { defineCommand, textOption } from '../../command.js'

export default defineCommand({
  name: 'bead attach',
  aliases: ['issue attach'],
  group: 'work',
  summary: 'attach a file or a URL to a bead',
  about:
    'The bead notes where the file is, its size and its SHA-256; gt bead show says when it changed or vanished. The content is only stored with --copy.',
  args: [
    { name: 'bead', about: 'id, or the start of one', required: true },
    { name: 'what', about: 'path of a file, or a URL', required: true },
  ],
  options: [
    { flags: '--note <text>', about: 'what it is' },
    { flags: '--copy', about: 'store the content, too (at most 1 MiB); it travels with the store' },
  ],
  examples: [
    'gt bead attach issue-123 trace.log --copy',
    'gt bead attach issue-123 https://example.org/spec --note spec',
  ],
  async run(context, args, options) {
    const { attachToBead } = await import('../../../app/attachments.js')
    const note = textOption(options, 'note')
    const attachment = attachToBead(await context.town(), args.text(0), {
      ref: args.text(1),
      copy: options.copy === true,
      cwd: context.io.cwd,
      ...(note === undefined ? {} : { note }),
    })
    return { data: { attachment: attachmentsJson([attachment])[0] }, text: attachmentLines([attachment]) }
  },
})
