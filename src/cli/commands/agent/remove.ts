import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent remove',
  group: 'agents',
  summary: 'end an agent without a bead; its worktree is saved before it goes, its history stays',
  args: [{ name: 'agent', about: 'whom', required: true }],
  examples: ['gt agent remove toast'],
  async run(context, args) {
    const { removeAgent } = await import('../../../app/remove-agent.js')
    const removed = await removeAgent(await context.town(), args.text(0))
    const saved = removed.salvage === undefined ? '' : `; its tree is saved: ${removed.salvage}`
    return { data: removed, text: `${removed.agent} is gone${saved}` }
  },
})
