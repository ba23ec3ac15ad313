import type { TownEvent } from '../../domain/record.js'
import { type CliContext, defineCommand, listOption, type OptionValues, textOption } from '../command.js'
import { parseSince } from '../parse-since.js'
import { parseCount } from '../parse-values.js'
import { plain, table } from '../table.js'

export default defineCommand({
  name: 'events',
  group: 'town',
  summary: 'list what happened, newest last, and follow it with -f',
  about:
    'Events are kept 14 days, counted from the newest; what must last longer is in beads, mail and the merge queue. JSON says in "kept_since" from when on there can be events at all. With -f, --json prints one object for each event.',
  options: [
    { flags: '-n, --limit <n>', about: 'at most so many, the newest (default 30; all with --since)' },
    { flags: '--since <when>', about: 'only later ones: 90m, 2h, 3d, or a time like 2026-11-20T09:00Z' },
    { flags: '--until <when>', about: 'only earlier ones' },
    { flags: '--type <type>', about: 'only these; may be repeated', many: true },
    { flags: '--bead <bead>', about: 'only about this bead' },
    { flags: '--agent <agent>', about: 'only of this agent' },
    { flags: '-f, --follow', about: 'go on with new ones until Ctrl-C' },
  ],
  readsOnly: true,
  examples: ['gt events', 'gt events --since 2h --agent toast', 'gt events -f --type bead.merged --json'],
  async run(context, _args, options) {
    const { eventsUpToNow, followEvents, listEvents } = await import('../../app/list-events.js')
    const given = parseCount(textOption(options, 'limit'), '--limit', 1)
    const town = await context.town()
    const view = town.ledger.read()
    const filter = await readFilter(context, options)
    const { since } = filter
    const limit = given ?? (since === undefined ? 30 : Number.POSITIVE_INFINITY)
    const events = listEvents(view, filter, limit)
    if (since !== undefined && since < view.eventsSince)
      context.note(`events from before ${view.eventsSince} are not kept (14 days)`)
    const { eventDetail } = await import('../agent-text.js')
    const row = (event: TownEvent) => [
      event.at,
      event.type,
      String(event.data.agent ?? event.by),
      plain(eventDetail(event), 120),
    ]
    if (options.follow === true) {
      const { stdout, signal } = context.io
      const show = (event: TownEvent) =>
        void stdout.write(`${context.json ? JSON.stringify(event) : row(event).join('  ')}\n`)
      const seen = eventsUpToNow(view)
      for (const event of events) show(event)
      await followEvents(town, filter, { seen, signal }, show)
      return undefined
    }
    const none = since === undefined ? 'nothing happened yet' : `nothing happened since ${since}`
    return {
      data: { events, kept_since: view.eventsSince },
      text: events.length === 0 ? none : table(events.map(row)),
    }
  },
})

async function readFilter(context: CliContext, options: OptionValues) {
  const town = await context.town()
  const view = town.ledger.read()
  const types = listOption(options, 'type')
  const now = town.clock.now()
  const since = parseSince(textOption(options, 'since'), '--since', now)
  const until = parseSince(textOption(options, 'until'), '--until', now)
  const [bead, agent] = [textOption(options, 'bead'), textOption(options, 'agent')]
  const { getAgent, getBead } = await import('../../app/find-entity.js')
  return {
    ...(types.length === 0 ? {} : { types }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(bead === undefined ? {} : { bead: getBead(view, bead).id as string }),
    ...(agent === undefined ? {} : { agent: getAgent(view, agent).id as string }),
  }
}
