import { defineCommand, textOption } from '../command.js'
import { parseCount } from '../parse-values.js'

export default defineCommand({
  name: 'tail',
  group: 'talk',
  summary: 'show the last lines of an agent, and follow them with -f',
  args: [{ name: 'agent', about: 'whose', required: true }],
  options: [
    { flags: '-n, --lines <n>', about: 'how many (default 20)' },
    { flags: '-f, --follow', about: 'go on until Ctrl-C or the end of the session' },
  ],
  examples: ['gt tail toast -n 50', 'gt tail -f toast'],
  async run(context, args, options) {
    const { tailAgent } = await import('../../app/tail-agent.js')
    const count = parseCount(textOption(options, 'lines'), '--lines', 1) ?? 20
    const town = await context.town()
    const lines: string[] = []
    const { io } = context
    const show = (line: string) => {
      if (options.follow === true) io.stdout.write(`${context.json ? JSON.stringify({ line }) : line}\n`)
      else lines.push(line)
    }
    await tailAgent(town, args.text(0), { count, follow: options.follow === true, signal: io.signal }, show)
    return options.follow === true ? undefined : { data: { lines }, text: lines }
  },
})
