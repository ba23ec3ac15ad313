import { defineCommand, textOption } from '../command.js'
import { readText } from '../read-text.js'

export default defineCommand({
  name: 'nudge',
  group: 'talk',
  summary: 'put text into a running session now; succeeds only with a proof that it arrived',
  args: [
    { name: 'agent', about: 'whom', required: true },
    { name: 'text', about: 'what (at most 4 KB; longer goes by mail)', many: true },
  ],
  options: [{ flags: '-m, --message <text>', about: 'the text; - reads standard input' }],
  examples: ['gt nudge toast "the API changed, look at issue-7"'],
  async run(context, args, options) {
    const { nudgeAgent } = await import('../../app/nudge-agent.js')
    const text = (await readText(context.io, textOption(options, 'message') ?? args.optional(1))) ?? ''
    const { agent, receipt } = await nudgeAgent(await context.town(), args.text(0), text)
    return { data: { agent, receipt }, text: `${receipt.kind} by ${agent}: ${receipt.evidence}` }
  },
})
