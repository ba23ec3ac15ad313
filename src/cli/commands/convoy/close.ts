import { defineCommand } from '../../command.js'
import { convoyLine } from '../../convoy-text.js'

export default defineCommand({
  name: 'convoy close',
  group: 'work',
  summary: 'close a convoy',
  args: [{ name: 'convoy', about: 'id, or the start of one', required: true }],
  examples: ['gt convoy close cv-4k7q2'],
  async run(context, args) {
    const { closeConvoy } = await import('../../../app/convoys.js')
    const town = await context.town()
    const convoy = closeConvoy(town, args.text(0))
    return { data: { convoy }, text: convoyLine(convoy) }
  },
})
