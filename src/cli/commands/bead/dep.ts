import { beadJson } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'bead dep',
  aliases: ['issue dep'],
  group: 'work',
  summary: 'make a bead wait for another one (short for bead dep add)',
  args: [
    { name: 'bead', about: 'the one that waits', required: true },
    { name: 'blocker', about: 'the one that must be closed first', required: true },
  ],
  options: [{ flags: '--remove', about: 'it waits no longer' }],
  examples: ['gt bead dep issue-124 issue-123', 'gt bead dep issue-124 issue-123 --remove'],
  async run(context, args, options) {
    const { addDependency, removeDependency } = await import('../../../app/dependencies.js')
    const remove = options.remove === true
    const change = remove ? removeDependency : addDependency
    const bead = change(await context.town(), args.text(0), args.text(1), 'blocks')
    return {
      data: { bead: beadJson(bead) },
      text: `${bead.shownId} ${remove ? 'no longer waits' : 'waits'} for ${args.text(1)}`,
    }
  },
})
