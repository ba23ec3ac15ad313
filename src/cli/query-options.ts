import { getAgent, getBead, getRig } from '../app/find-entity.js'
import type { ListedBead } from '../app/list-beads.js'
import { type BeadQuery, queryBeads, SORTS } from '../app/query-beads.js'
import type { Town } from '../app/town.js'
import { GtError, UsageError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import { archivedIn, statusesIn } from './bead-filters.js'
import { type CliContext, listOption, type OptionValues, textOption } from './command.js'
import { parseAhead, parseSince } from './parse-since.js'
import { parseCount } from './parse-values.js'

type View = ReturnType<Town['ledger']['read']>

/** The filters that are not asked for all day. */
export async function queryByOptions(
  context: CliContext,
  options: OptionValues,
  what: 'list' | 'ready',
): Promise<ListedBead[]> {
  const town = await context.town()
  const view = town.ledger.read()
  const status = what === 'ready' ? (['open'] as const) : statusesIn(options)
  const query = readQuery(town, view, options)
  return queryBeads(view, town.clock.now(), {
    ...query,
    ...archivedIn(options),
    ...(status === undefined ? {} : { status }),
    readyOnly: what === 'ready',
  })
}

function readQuery(town: Town, view: View, options: OptionValues): BeadQuery {
  const now = town.clock.now()
  const query: BeadQuery = { labels: listOption(options, 'label'), types: listOption(options, 'type') }
  const given = <T>(name: string, use: (text: string) => T | undefined): T | undefined => {
    const text = textOption(options, name)
    return text === undefined ? undefined : use(text)
  }
  const set = <K extends keyof BeadQuery>(key: K, value: BeadQuery[K] | undefined) => {
    if (value !== undefined) query[key] = value
  }
  set(
    'rig',
    given('rig', (rig) => getRig(town, rig).name),
  )
  set(
    'assignee',
    given('assignee', (name) => personOrAgent(view, name)) ??
      given('agent', (name) => getAgent(view, name).id),
  )
  set('priority', given('priority', parseRange))
  set(
    'prefix',
    given('prefix', (text) => text),
  )
  set(
    'parent',
    given('parent', (typed) => getBead(view, typed).id),
  )
  set(
    'text',
    given('text', (text) => text),
  )
  for (const name of ['createdAfter', 'createdBefore', 'updatedAfter', 'updatedBefore'] as const) {
    set(
      name,
      given(name, (text) => parseSince(text, flagOf(name), now)),
    )
  }
  set(
    'dueBefore',
    given('dueBefore', (text) => parseAhead(text, '--due-before', now)) ??
      (options.overdue === true ? new Date(now).toISOString() : undefined),
  )
  if (options.deferred === true) query.deferred = true
  set('sort', given('sort', parseSort))
  if (options.reverse === true) query.reverse = true
  set('limit', parseCount(textOption(options, 'limit'), '--limit', 1))
  return query
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`
}

/** Imported beads name people that are no agents here. */
function personOrAgent(view: View, name: string): string {
  if (name === 'none') return ''
  try {
    return getAgent(view, name).id
  } catch (error) {
    if (error instanceof GtError && error.code === 'agent-not-found') return name
    throw error
  }
}

function parseRange(text: string): { from: number; to: number } {
  const match = /^[pP]?([0-4])(?:(?:-|\.\.)[pP]?([0-4]))?$/.exec(text)
  const from = Number(match?.[1])
  const to = Number(match?.[2] ?? match?.[1])
  if (match !== null && from <= to) return { from, to }
  throw new UsageError(`"${printable(text)}" is no priority or range of them`, {
    code: 'bad-priority',
    hint: 'like 1 or 0-2',
  })
}

function parseSort(text: string): NonNullable<BeadQuery['sort']> {
  const sort = SORTS.find((candidate) => candidate === text)
  if (sort !== undefined) return sort
  throw new UsageError(`beads are not sorted by "${printable(text)}"`, {
    code: 'bad-sort',
    hint: `one of ${SORTS.join(', ')}`,
  })
}
