import { defineCommand } from '../../command.js'
import { backendOption, fallbackLine } from '../../parse-backend.js'

export default defineCommand({
  name: 'agent resume',
  group: 'agents',
  summary: "start an agent's session again, on its conversation where the runtime can",
  args: [{ name: 'agent', about: 'whom', required: true }],
  options: [{ flags: '--backend <backend>', about: 'tmux, opencode or hybrid (default: where it was)' }],
  examples: ['gt agent resume toast'],
  async run(context, args, options) {
    const { restartAgent } = await import('../../../app/control-agent.js')
    const result = await restartAgent(
      await context.town(),
      args.text(0),
      'resume',
      backendOption(options).backend,
    )
    if (result.fallback !== undefined) context.note(fallbackLine(result.fallback))
    return {
      data: result,
      text: `${result.agent} runs in ${result.location} (${result.mode === 'resume' ? 'its conversation goes on' : 'a new conversation'})`,
    }
  },
})
