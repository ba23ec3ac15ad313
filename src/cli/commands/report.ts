import { defineCommand } from '../command.js'
import { readStdin } from '../read-text.js'

export default defineCommand({
  name: 'report',
  group: 'inside a session',
  internal: true,
  summary: "take events that an agent's plugin reports, one JSON object per line",
  args: [{ name: 'from', about: '- for standard input' }],
  examples: ['echo \'{"type":"session.idle"}\' | gt report --json -'],
  async run(context) {
    const { reportEvents } = await import('../../app/report-events.js')
    const lines = await readStdin(context.io)
    const town = await context.town()
    return { data: reportEvents(town, context.io.env.GT_SESSION, lines) }
  },
})
