import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent restart',
  group: 'agents',
  summary: 'end an agent’s session and start it again on its bead; --fresh begins a new conversation',
  args: [{ name: 'agent', about: 'whom', required: true }],
  options: [{ flags: '--fresh', about: 'a new conversation instead of the old one' }],
  examples: ['gt agent restart toast', 'gt agent restart toast --fresh'],
  async run(context, args, options) {
    const { restartAgent, stopAgent } = await import('../../../app/control-agent.js')
    const town = await context.town()
    await stopAgent(town, args.text(0))
    const result = await restartAgent(town, args.text(0), options.fresh === true ? 'new' : 'resume')
    return { data: result, text: `${result.agent} runs in ${result.location}` }
  },
})
