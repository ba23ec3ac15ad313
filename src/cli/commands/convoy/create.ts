import { defineCommand } from '../../command.js'
import { convoyLine } from '../../convoy-text.js'

export default defineCommand({
  name: 'convoy create',
  group: 'work',
  summary: 'make a convoy: beads followed as one delivery',
  args: [
    { name: 'title', about: 'what is delivered', required: true },
    { name: 'bead', about: 'its beads', many: true },
  ],
  examples: ['gt convoy create "release 2" issue-1 issue-2'],
  async run(context, args) {
    const { createConvoy } = await import('../../../app/convoys.js')
    const town = await context.town()
    const convoy = createConvoy(town, args.text(0), args.list(1))
    return { data: { convoy }, text: convoyLine(convoy) }
  },
})
