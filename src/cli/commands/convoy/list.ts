import { defineCommand } from '../../command.js'
import { convoyLine } from '../../convoy-text.js'

export default defineCommand({
  name: 'convoy list',
  aliases: ['convoys'],
  group: 'work',
  summary: 'list convoys with their progress',
  options: [{ flags: '--all', about: 'closed ones too' }],
  examples: ['gt convoy list'],
  async run(context, _args, options) {
    const { listConvoys } = await import('../../../app/convoys.js')
    const convoys = listConvoys(await context.town(), options.all === true)
    return { data: { convoys }, text: convoys.length === 0 ? 'no convoys' : convoys.map(convoyLine) }
  },
})
