import { UsageError } from '../../../domain/errors.js'
import { beadJson } from '../../bead-text.js'
import { defineCommand } from '../../command.js'
import { readText } from '../../read-text.js'

export default defineCommand({
  name: 'bead comment',
  aliases: ['issue comment'],
  group: 'work',
  summary: 'leave a note on a bead',
  args: [
    { name: 'bead', about: 'id, or the start of one', required: true },
    { name: 'text', about: 'the note; - reads standard input', required: true, many: true },
  ],
  examples: ['gt bead comment issue-123 "the parser is the hard part"'],
  async run(context, args) {
    const { commentOnBead } = await import('../../../app/change-bead.js')
    const text = (await readText(context.io, args.text(1)))?.trim() ?? ''
    if (text === '') throw new UsageError('an empty comment says nothing', { code: 'empty-text' })
    const bead = commentOnBead(await context.town(), args.text(0), text)
    return { data: { bead: beadJson(bead) }, text: `noted on ${bead.shownId}` }
  },
})
