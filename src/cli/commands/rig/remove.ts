import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'rig remove',
  aliases: ['project remove'],
  group: 'set-up',
  summary: 'take a repository out of management; its beads and salvage stay',
  args: [{ name: 'rig', about: 'name of the rig', required: true }],
  options: [{ flags: '--dry-run', about: 'only say what would be done' }],
  examples: ['gt rig remove proj'],
  async run(context, args, options) {
    const { removeRig } = await import('../../../app/remove-rig.js')
    const dryRun = options.dryRun === true
    const removed = await removeRig(await context.town(), args.text(0), { dryRun })
    return {
      data: { ...removed, dryRun },
      text: [
        `rig ${removed.rig} ${dryRun ? 'would be' : 'is'} out of management`,
        ...(removed.left === undefined
          ? []
          : [`its bare clone with all salvage stays in ${removed.left}; delete it when you are sure`]),
      ],
    }
  },
})
