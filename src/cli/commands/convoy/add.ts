import { defineCommand } from '../../command.js'
import { convoyLine } from '../../convoy-text.js'

export default defineCommand({
  name: 'convoy add',
  group: 'work',
  summary: 'add beads to a convoy',
  args: [
    { name: 'convoy', about: 'id, or the start of one', required: true },
    { name: 'bead', about: 'beads to add', required: true, many: true },
  ],
  examples: ['gt convoy add cv-4k7q2 issue-3'],
  async run(context, args) {
    const { addToConvoy } = await import('../../../app/convoys.js')
    const town = await context.town()
    const convoy = addToConvoy(town, args.text(0), args.list(1))
    return { data: { convoy }, text: convoyLine(convoy) }
  },
})
