import { SilentExit } from '../../../domain/errors.js'
import { defineCommand, textOption } from '../../command.js'
import { mailForModel } from '../../mail-text.js'

export default defineCommand({
  name: 'mail check',
  group: 'talk',
  summary: 'take new mail: each is handed out exactly once; exits 1 without text when there is none',
  options: [
    { flags: '--as <agent>', about: 'whose (default: yours)' },
    { flags: '--inject', about: "called by the agent's plugin: exits 0 also when there is none" },
    { flags: '--session-id <id>', about: 'conversation of the caller' },
  ],
  examples: ['gt mail check'],
  async run(context, _args, options) {
    const { resolveRecipient, takeUnreadMail } = await import('../../../app/send-mail.js')
    const town = await context.town()
    const as = textOption(options, 'as')
    const owner = as === undefined ? town.actor : resolveRecipient(town.ledger.read(), as)
    const mails = takeUnreadMail(town, owner)
    if (mails.length === 0 && options.inject !== true && !context.json) throw new SilentExit(1)
    return {
      data: { owner, mails },
      ...(mails.length === 0 ? {} : { text: mailForModel(mails, town.config.limits.mailBytes) }),
      exitCode: mails.length === 0 && options.inject !== true ? 1 : 0,
    }
  },
})
