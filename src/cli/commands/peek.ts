import { defineCommand, textOption } from '../command.js'
import { parseCount } from '../parse-values.js'

export default defineCommand({
  name: 'peek',
  group: 'talk',
  summary: 'show the screen of an agent now; the last one of an ended session',
  args: [{ name: 'agent', about: 'whose', required: true }],
  options: [{ flags: '-n, --lines <n>', about: 'lines above the screen to include (default 0)' }],
  examples: ['gt peek toast', 'gt peek toast -n 200'],
  async run(context, args, options) {
    const { peekAgent } = await import('../../app/peek-agent.js')
    const peeked = await peekAgent(
      await context.town(),
      args.text(0),
      parseCount(textOption(options, 'lines'), '--lines') ?? 0,
    )
    if (peeked.from === 'kept')
      context.note(`${peeked.agent} has no session now; this is the last screen that was kept`)
    return { data: peeked, text: peeked.lines }
  },
})
