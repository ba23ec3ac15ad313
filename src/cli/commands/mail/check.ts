import type { Town } from '../../../app/town.js'
import { SilentExit } from '../../../domain/errors.js'
import { defineCommand, textOption } from '../../command.js'
import { mailForModel, mailTexts } from '../../mail-text.js'

export default defineCommand({
  name: 'mail check',
  group: 'talk',
  summary: 'take new mail: each is handed out exactly once; exits 1 without text when there is none',
  about:
    'An agent runs it, or its plugin does when a turn has ended. What is handed to a plugin (--until-seen) counts as shown when the plugin reports that the conversation holds it; after a crash before that it is handed out again.',
  options: [
    { flags: '--as <agent>', about: 'whose (default: yours)' },
    { flags: '--inject', about: "called by the agent's plugin: exits 0 also when there is none" },
    { flags: '--until-seen', about: 'hand it out until it is reported as seen; for plugins, with --json' },
    { flags: '--turn-end', about: 'a turn has ended: without mail, say whether work was left undone' },
    { flags: '--session-id <id>', about: 'conversation of the caller' },
  ],
  examples: ['gt mail check'],
  async run(context, _args, options) {
    const { resolveRecipient, takeUnreadMail } = await import('../../../app/send-mail.js')
    const town = await context.town()
    const as = textOption(options, 'as')
    const owner = as === undefined ? town.actor : resolveRecipient(town.ledger.read(), as)
    const untilSeen = options.untilSeen === true
    const mails = takeUnreadMail(town, owner, untilSeen)
    if (mails.length === 0 && options.inject !== true && !context.json) throw new SilentExit(1)
    const limit = town.config.limits.mailBytes
    return {
      data: {
        owner,
        mails: untilSeen ? mailTexts(mails, limit) : mails,
        ...(mails.length === 0 && options.turnEnd === true ? await reminder(town, owner) : {}),
      },
      ...(mails.length === 0 ? {} : { text: mailForModel(mails, limit) }),
      exitCode: mails.length === 0 && options.inject !== true ? 1 : 0,
    }
  },
})

async function reminder(town: Town, owner: string): Promise<{ reminder?: string }> {
  const { remindOfDone } = await import('../../../app/remind-of-done.js')
  const text = await remindOfDone(town, owner)
  return text === undefined ? {} : { reminder: text }
}
