import { COST_KEYS, type CostReport, type CostSum } from '../../domain/cost.js'
import { UsageError } from '../../domain/errors.js'
import { printable } from '../../domain/ids.js'
import { defineCommand, textOption } from '../command.js'
import { parseSince } from '../parse-since.js'
import { plain, table } from '../table.js'

export default defineCommand({
  name: 'cost',
  group: 'town',
  summary: 'show what the models cost: tokens and dollars by agent, bead, model, day or rig',
  about:
    'As the programs report it, each answer of a model counted once, subagents included; programs without the plugin report nothing. ' +
    'Prices are those that OpenCode knows. COORD is the share of coordination: all that agents of roles which do not end with a bead ' +
    'spend (mayor, crew), and of the others the turns that were started by mail, by a nudge of another agent, or by a reminder of gt. ' +
    'Days are UTC; --since counts the whole day it falls into. These sums do not age, as events do.',
  options: [
    { flags: '--by <key>', about: 'agent (default), bead, model, day, rig' },
    { flags: '--since <when>', about: 'only from then on: 12h, 3d, or a time like 2026-11-20' },
    { flags: '--bead <id>', about: 'only what was spent on this bead' },
    { flags: '--convoy <id>', about: 'only what was spent on the beads of this convoy' },
  ],
  readsOnly: true,
  examples: ['gt cost', 'gt cost --by bead --since 7d', 'gt cost --convoy cv-atqek --by model --json'],
  async run(context, _args, options) {
    const { reportCost } = await import('../../app/report-cost.js')
    const typed = textOption(options, 'by') ?? 'agent'
    const by = COST_KEYS.find((key) => key === typed)
    if (by === undefined) {
      throw new UsageError(`cost cannot be shown by "${printable(typed)}"`, {
        code: 'bad-key',
        hint: `one of ${COST_KEYS.join(', ')}`,
      })
    }
    const bead = textOption(options, 'bead')
    const convoy = textOption(options, 'convoy')
    const town = await context.town()
    const since = parseSince(textOption(options, 'since'), '--since', town.clock.now())
    const report = reportCost(town, {
      by,
      ...(since === undefined ? {} : { since }),
      ...(bead === undefined ? {} : { bead }),
      ...(convoy === undefined ? {} : { convoy }),
    })
    return {
      data: { ...report, ...(since === undefined ? {} : { since: since.slice(0, 10) }) },
      text: costText(report),
    }
  },
})

function costText(report: CostReport): string[] {
  if (report.rows.length === 0) return ['no model has reported any cost']
  const line = (key: string, sum: CostSum) => [
    plain(key === '' ? '(none)' : key, 60),
    `$${sum.costUsd.toFixed(4)}`,
    String(sum.input + sum.cacheRead + sum.cacheWrite),
    String(sum.output + sum.reasoning),
    String(sum.messages),
    sum.costUsd === 0 ? '-' : `${Math.round((100 * sum.coordination.costUsd) / sum.costUsd)}%`,
  ]
  const rows = report.rows.map((row) => line(row.key, row))
  return [
    ...table(
      [...rows, line('total', report.total)],
      [report.by.toUpperCase(), 'COST', 'TOKENS IN', 'OUT', 'ANSWERS', 'COORD'],
    ),
    '',
    `coordination: ${(100 * report.coordinationShare).toFixed(1)}% of it`,
  ]
}
