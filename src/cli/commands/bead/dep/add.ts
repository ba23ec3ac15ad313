import { beadJson } from '../../../bead-text.js'
import { defineCommand, textOption } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead dep add',
  aliases: ['issue dep add'],
  group: 'work',
  summary: 'tie a bead to another one',
  args: [
    { name: 'bead', about: 'the one that waits, or the child', required: true },
    { name: 'other', about: 'the one that must be closed first, or the parent', required: true },
  ],
  options: [{ flags: '--type <type>', about: 'blocks (default), parent-child, related, discovered-from' }],
  examples: ['gt bead dep add issue-124 issue-123', 'gt bead dep add issue-124 epic-1 --type parent-child'],
  async run(context, args, options) {
    const [{ addDependency }, { dependencyType }] = await Promise.all([
      import('../../../../app/dependencies.js'),
      import('../../../../domain/dependency.js'),
    ])
    const type = dependencyType(textOption(options, 'type') ?? 'blocks')
    const bead = addDependency(await context.town(), args.text(0), args.text(1), type)
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId}: ${type} ${plain(args.text(1))}` }
  },
})
