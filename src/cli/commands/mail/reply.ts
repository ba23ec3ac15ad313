import { UsageError } from '../../../domain/errors.js'
import { defineCommand, textOption } from '../../command.js'
import { readText } from '../../read-text.js'

export default defineCommand({
  name: 'mail reply',
  group: 'talk',
  summary: 'answer a mail',
  args: [
    { name: 'mail', about: 'id, or the start of one', required: true },
    { name: 'text', about: 'the answer', many: true },
  ],
  options: [{ flags: '-m, --message <text>', about: 'the answer; - reads standard input' }],
  examples: ['gt mail reply m-4k7q2 -m "yes, in cents"'],
  async run(context, args, options) {
    const { sendMail } = await import('../../../app/send-mail.js')
    const { getMail } = await import('../../../app/find-entity.js')
    const body =
      (await readText(context.io, textOption(options, 'message') ?? args.optional(1)))?.trim() ?? ''
    if (body === '')
      throw new UsageError('an empty answer says nothing', {
        code: 'empty-text',
        hint: 'gt mail reply MAIL -m "text"',
      })
    const town = await context.town()
    const to = getMail(town.ledger.read(), args.text(0))
    const subject = to.subject.startsWith('Re: ') ? to.subject : `Re: ${to.subject}`
    const mail = await sendMail(
      town,
      { to: to.from, subject: subject.slice(0, 300), body, inReplyTo: to },
      context.note,
    )
    return { data: { mail }, text: `${mail.shownId} is in the mailbox of ${mail.to}` }
  },
})
