import { defineCommand, textOption } from '../../command.js'
import { readText } from '../../read-text.js'

export default defineCommand({
  name: 'mail send',
  group: 'talk',
  summary: 'send a durable message to an agent, or to the person: human',
  args: [
    { name: 'to', about: 'agent, or human', required: true },
    { name: 'subject', about: 'one line', required: true, many: true },
  ],
  options: [{ flags: '-m, --message <text>', about: 'the text; - reads standard input' }],
  examples: [
    'gt mail send proj/nux "the API changed" -m "totals() takes cents now"',
    'gt mail send human "need a decision"',
  ],
  async run(context, args, options) {
    const { sendMail } = await import('../../../app/send-mail.js')
    const body = (await readText(context.io, textOption(options, 'message'))) ?? ''
    const mail = await sendMail(
      await context.town(),
      { to: args.text(0), subject: args.text(1), body },
      context.note,
    )
    return { data: { mail }, text: `${mail.shownId} is in the mailbox of ${mail.to}` }
  },
})
