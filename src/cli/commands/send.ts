import { defineCommand, textOption } from '../command.js'
import { readText } from '../read-text.js'

export default defineCommand({
  name: 'send',
  group: 'talk',
  summary: 'prompt a running agent, in your words alone; succeeds only when the prompt was accepted',
  about:
    'Like `gt nudge`, but nothing says who speaks. Works on every backend, also while the agent is busy.',
  args: [
    { name: 'agent', about: 'whom', required: true },
    { name: 'text', about: 'the prompt', many: true },
  ],
  options: [{ flags: '-m, --message <text>', about: 'the prompt; - reads standard input' }],
  examples: ['gt send toast "now do the same for the German texts"', 'gt send toast -m - < prompt.md'],
  async run(context, args, options) {
    const { nudgeAgent } = await import('../../app/nudge-agent.js')
    const text = (await readText(context.io, textOption(options, 'message') ?? args.optional(1))) ?? ''
    const { agent, receipt } = await nudgeAgent(await context.town(), args.text(0), text, {
      isAnonymous: true,
    })
    return { data: { agent, receipt }, text: `${receipt.kind} by ${agent}: ${receipt.evidence}` }
  },
})
