import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent start',
  group: 'agents',
  summary: 'start an agent on its bead with a fresh conversation',
  args: [{ name: 'agent', about: 'whom', required: true }],
  examples: ['gt agent start toast'],
  async run(context, args) {
    const { restartAgent } = await import('../../../app/control-agent.js')
    const result = await restartAgent(await context.town(), args.text(0), 'new')
    return { data: result, text: `${result.agent} runs in ${result.location}` }
  },
})
