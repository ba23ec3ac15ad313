import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent stop',
  group: 'agents',
  summary: "end an agent's session; bead, worktree and commits stay",
  args: [{ name: 'agent', about: 'whom', required: true }],
  examples: ['gt agent stop toast'],
  async run(context, args) {
    const { stopAgent } = await import('../../../app/control-agent.js')
    const result = await stopAgent(await context.town(), args.text(0))
    return {
      data: result,
      text: result.wasRunning
        ? `${result.agent} is stopped; go on with: gt agent resume ${result.agent}`
        : `${result.agent} was not running`,
    }
  },
})
