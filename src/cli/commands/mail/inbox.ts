import { defineCommand, textOption } from '../../command.js'
import { age, plain, table } from '../../table.js'

export default defineCommand({
  name: 'mail inbox',
  aliases: ['mail list'],
  group: 'talk',
  summary: 'list mail that was not read yet',
  options: [
    { flags: '--as <agent>', about: 'whose (default: yours)' },
    { flags: '--all', about: 'read ones too' },
  ],
  examples: ['gt mail inbox', 'gt mail inbox --as proj/toast --all'],
  async run(context, _args, options) {
    const { listMail, resolveRecipient } = await import('../../../app/send-mail.js')
    const town = await context.town()
    const view = town.ledger.read()
    const as = textOption(options, 'as')
    const owner = as === undefined ? town.actor : resolveRecipient(view, as)
    const mails = listMail(view, { owner, all: options.all === true })
    const now = town.clock.now()
    const rows = mails.map((mail) => [
      mail.shownId,
      mail.status,
      age(mail.sentAt, now),
      plain(mail.from),
      plain(mail.subject, 90),
    ])
    return {
      data: { owner, mails },
      text: mails.length === 0 ? 'no mail' : table(rows, ['MAIL', 'STATUS', 'AGE', 'FROM', 'SUBJECT']),
    }
  },
})
