import { beadJson } from '../../../bead-text.js'
import { defineCommand, textOption } from '../../../command.js'
import { plain } from '../../../table.js'

export default defineCommand({
  name: 'bead dep remove',
  aliases: ['issue dep remove'],
  group: 'work',
  summary: 'untie a bead from another one',
  args: [
    { name: 'bead', about: 'the one that waits, or the child', required: true },
    { name: 'other', about: 'what it was tied to', required: true },
  ],
  options: [{ flags: '--type <type>', about: 'only this type (default: all)' }],
  examples: ['gt bead dep remove issue-124 issue-123'],
  async run(context, args, options) {
    const [{ removeDependency }, { dependencyType }] = await Promise.all([
      import('../../../../app/dependencies.js'),
      import('../../../../domain/dependency.js'),
    ])
    const type = textOption(options, 'type')
    const bead = removeDependency(
      await context.town(),
      args.text(0),
      args.text(1),
      type === undefined ? undefined : dependencyType(type),
    )
    return {
      data: { bead: beadJson(bead) },
      text: `${bead.shownId} no longer depends on ${plain(args.text(1))}`,
    }
  },
})
