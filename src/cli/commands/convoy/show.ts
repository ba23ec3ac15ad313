import { defineCommand } from '../../command.js'
import { convoyText } from '../../convoy-text.js'

export default defineCommand({
  name: 'convoy show',
  group: 'work',
  summary: 'show convoys with the state of each bead (all open ones, or the one named)',
  args: [{ name: 'convoy', about: 'id, or the start of one' }],
  examples: ['gt convoy show', 'gt convoy show cv-4k7q2'],
  async run(context, args) {
    const { listConvoys, showConvoy } = await import('../../../app/convoys.js')
    const town = await context.town()
    const typed = args.optional(0)
    if (typed !== undefined) {
      const convoy = showConvoy(town, typed)
      return { data: { convoy }, text: convoyText(convoy) }
    }
    const convoys = listConvoys(town, false)
    return {
      data: { convoys },
      text:
        convoys.length === 0
          ? 'no open convoy; make one: gt convoy create "title" BEAD…'
          : convoys.flatMap(convoyText),
    }
  },
})
