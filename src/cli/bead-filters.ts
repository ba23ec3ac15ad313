import { getAgent, getRig } from '../app/find-entity.js'
import { type ListedBead, listBeads, readyBeads } from '../app/list-beads.js'
import { type CliContext, listOption, type Option, type OptionValues, textOption } from './command.js'
import { parseStatuses } from './parse-values.js'

/** What `gt bead list` and `gt bead ready` can be narrowed by; all of them combine. */
export const BEAD_FILTERS: readonly Option[] = [
  { flags: '--rig <rig>', about: 'only of this rig' },
  { flags: '-l, --label <label>', about: 'only with this label; may be repeated', many: true },
  { flags: '--agent <agent>', about: 'only of this agent' },
  { flags: '--assignee <name>', about: 'only of this agent or person; none: of nobody' },
  { flags: '-p, --priority <range>', about: 'like 1 or 0-2' },
  { flags: '--type <word>', about: 'only of this type; may be repeated', many: true },
  { flags: '--prefix <letters>', about: 'only ids that start like this' },
  { flags: '--parent <bead>', about: 'only children of this bead' },
  { flags: '--text <words>', about: 'only with these words in title, description, notes or comments' },
  { flags: '--created-after <time>', about: 'like 2h (ago), 3d or 2026-12-24' },
  { flags: '--created-before <time>', about: 'made before then' },
  { flags: '--updated-after <time>', about: 'changed since then' },
  { flags: '--updated-before <time>', about: 'not changed since then' },
  { flags: '--deferred', about: 'only those set aside until later' },
  { flags: '--due-before <time>', about: 'only those due before then: 3d (ahead) or 2026-12-24' },
  { flags: '--overdue', about: 'only those whose time is past' },
  { flags: '--sort <field>', about: 'urgency (default), created, updated, due, priority, title, id' },
  { flags: '--reverse', about: 'the other way round' },
  { flags: '-n, --limit <n>', about: 'at most so many' },
]

/** Asked for all day, and answered without loading anything more. */
const PLAIN = new Set([
  'status',
  'all',
  'archived',
  'rig',
  'label',
  'agent',
  'json',
  'town',
  'quiet',
  'color',
])

export async function chooseBeads(
  context: CliContext,
  options: OptionValues,
  what: 'list' | 'ready',
): Promise<ListedBead[]> {
  const isPlain = Object.keys(options).every((name) => PLAIN.has(name))
  if (!isPlain) return (await import('./query-options.js')).queryByOptions(context, options, what)
  const town = await context.town()
  const view = town.ledger.read()
  const rig = textOption(options, 'rig')
  const agent = textOption(options, 'agent')
  const labels = listOption(options, 'label')
  if (rig !== undefined) getRig(town, rig)
  if (what === 'ready' && labels.length === 0 && agent === undefined)
    return readyBeads(view, town.clock.now(), rig)
  if (what === 'ready') return (await import('./query-options.js')).queryByOptions(context, options, what)
  const status = statusesIn(options)
  return listBeads(view, {
    ...(status === undefined ? {} : { status }),
    ...(rig === undefined ? {} : { rig }),
    ...(labels.length === 0 ? {} : { labels }),
    ...archivedIn(options),
    ...(agent === undefined ? {} : { assignee: getAgent(view, agent).id }),
  })
}

export function statusesIn(options: OptionValues) {
  if (options.all === true)
    return ['open', 'blocked', 'hooked', 'in_review', 'closed', 'deferred', 'failed'] as const
  const wanted = parseStatuses(listOption(options, 'status'))
  return wanted ?? (options.archived === true ? (['closed'] as const) : undefined)
}

/** Only closed beads are ever archived. */
export function archivedIn(options: OptionValues): { archived?: 'too' | 'only' } {
  if (options.archived !== true) return {}
  return { archived: options.all === true ? 'too' : 'only' }
}
