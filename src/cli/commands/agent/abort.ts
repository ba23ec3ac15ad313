import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent abort',
  group: 'agents',
  summary: 'interrupt the running turn; the session lives on',
  args: [{ name: 'agent', about: 'whom', required: true }],
  examples: ['gt agent abort toast'],
  async run(context, args) {
    const { abortAgent } = await import('../../../app/control-agent.js')
    const result = await abortAgent(await context.town(), args.text(0))
    return { data: result, text: `${result.agent}: interrupted` }
  },
})
