import { defineCommand, listOption, textOption } from '../command.js'
import { parseSince } from '../parse-since.js'
import { parseCount } from '../parse-values.js'
import { plain, table } from '../table.js'

export default defineCommand({
  name: 'events',
  group: 'town',
  summary: 'list what happened, newest last',
  about:
    'Events are kept 14 days, counted from the newest; what must last longer is in beads, mail and the merge queue. JSON says in "kept_since" from when on there can be events at all.',
  options: [
    { flags: '-n, --limit <n>', about: 'at most so many, the newest (default 30; all with --since)' },
    { flags: '--since <when>', about: 'only later ones: 90m, 2h, 3d, or a time like 2026-11-20T09:00Z' },
    { flags: '--type <type>', about: 'only these; may be repeated', many: true },
  ],
  examples: ['gt events', 'gt events --since 2h', 'gt events --type bead.merged --json'],
  async run(context, _args, options) {
    const { eventDetail } = await import('../agent-text.js')
    const given = parseCount(textOption(options, 'limit'), '--limit', 1)
    const types = listOption(options, 'type')
    const town = await context.town()
    const since = parseSince(textOption(options, 'since'), '--since', town.clock.now())
    const view = town.ledger.read()
    const limit = given ?? (since === undefined ? 30 : Number.POSITIVE_INFINITY)
    const query = { limit, ...(types.length === 0 ? {} : { type: types }) }
    const events = view.events(query).filter(({ at }) => since === undefined || at >= since)
    if (since !== undefined && since < view.eventsSince)
      context.note(`events from before ${view.eventsSince} are not kept (14 days)`)
    const rows = events.map((event) => [
      event.at,
      event.type,
      String(event.data.agent ?? event.by),
      plain(eventDetail(event), 120),
    ])
    const none = since === undefined ? 'nothing happened yet' : `nothing happened since ${since}`
    return {
      data: { events, kept_since: view.eventsSince },
      text: events.length === 0 ? none : table(rows),
    }
  },
})
