import { defineCommand, listOption, textOption } from '../command.js'
import { parseCount } from '../parse-values.js'
import { plain, table } from '../table.js'

export default defineCommand({
  name: 'events',
  group: 'town',
  summary: 'list what happened, newest last',
  options: [
    { flags: '-n, --limit <n>', about: 'how many (default 30)' },
    { flags: '--type <type>', about: 'only these; may be repeated', many: true },
  ],
  examples: ['gt events', 'gt events --type bead.merged --json'],
  async run(context, _args, options) {
    const { eventDetail } = await import('../agent-text.js')
    const limit = parseCount(textOption(options, 'limit'), '--limit', 1) ?? 30
    const types = listOption(options, 'type')
    const events = (await context.town()).ledger
      .read()
      .events({ limit, ...(types.length === 0 ? {} : { type: types }) })
    const rows = events.map((event) => [
      event.at,
      event.type,
      String(event.data.agent ?? event.by),
      plain(eventDetail(event), 120),
    ])
    return { data: { events }, text: events.length === 0 ? 'nothing happened yet' : table(rows) }
  },
})
