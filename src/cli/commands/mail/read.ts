import { defineCommand } from '../../command.js'
import { mailText } from '../../mail-text.js'

export default defineCommand({
  name: 'mail read',
  group: 'talk',
  summary: 'open a mail',
  args: [{ name: 'mail', about: 'id, or the start of one', required: true }],
  examples: ['gt mail read m-4k7q2'],
  async run(context, args) {
    const { readMail } = await import('../../../app/send-mail.js')
    const mail = readMail(await context.town(), args.text(0))
    return { data: { mail }, text: mailText(mail) }
  },
})
