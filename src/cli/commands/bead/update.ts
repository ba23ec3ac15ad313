import { UsageError } from '../../../domain/errors.js'
import { printable } from '../../../domain/ids.js'
import { beadJson } from '../../bead-text.js'
import { defineCommand, listOption, type OptionValues, textOption } from '../../command.js'
import { parseAhead } from '../../parse-since.js'
import { orNone, parsePriority } from '../../parse-values.js'
import { readText } from '../../read-text.js'

export default defineCommand({
  name: 'bead update',
  aliases: ['issue update'],
  group: 'work',
  summary: 'change a bead',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  options: [
    { flags: '--title <text>', about: 'new title' },
    { flags: '-m, --description <text>', about: 'new description; - reads standard input' },
    { flags: '-p, --priority <0-4>', about: 'new priority' },
    { flags: '--type <word>', about: 'task, bug, feature, …' },
    { flags: '--notes <text>', about: 'new notes; - reads standard input' },
    { flags: '--parent <bead>', about: 'the bead it is a part of; none: of none' },
    { flags: '--defer <time>', about: 'not ready until then: 3d, 2026-12-24; none: ready' },
    { flags: '--due <time>', about: 'to be done by then; none: whenever' },
    { flags: '--rig <rig>', about: 'the rig it belongs to' },
    { flags: '--strict <yes|no>', about: 'claimed only with a lease on the remote (see gt bead create)' },
    { flags: '-l, --label <label>', about: 'add a label; may be repeated', many: true },
    { flags: '--unlabel <label>', about: 'take a label away; may be repeated', many: true },
    {
      flags: '-s, --status <status>',
      about: 'open, deferred or failed; the others are moved by sling, done and the merge queue',
    },
  ],
  examples: ['gt bead update issue-123 -p 0 -l urgent', 'gt bead update issue-123 --status deferred'],
  async run(context, args, options) {
    const { updateBead } = await import('../../../app/change-bead.js')
    const status = textOption(options, 'status')
    if (status !== undefined && status !== 'open' && status !== 'deferred' && status !== 'failed') {
      throw new UsageError(`"${printable(status)}" cannot be set by hand`, {
        code: 'bad-status',
        hint: 'open, deferred or failed; to close: gt bead close',
      })
    }
    const town = await context.town()
    const now = town.clock.now()
    const change = {
      title: textOption(options, 'title'),
      description: await readText(context.io, textOption(options, 'description')),
      priority: parsePriority(textOption(options, 'priority')),
      type: textOption(options, 'type'),
      notes: await readText(context.io, textOption(options, 'notes')),
      parent: orNone(textOption(options, 'parent')),
      deferUntil: timeOrNone(options, 'defer', now),
      dueAt: timeOrNone(options, 'due', now),
      rig: textOption(options, 'rig'),
      strict: yesOrNo(textOption(options, 'strict')),
      status,
    }
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
    const addLabels = listOption(options, 'label')
    const removeLabels = listOption(options, 'unlabel')
    if (Object.keys(given).length + addLabels.length + removeLabels.length === 0) {
      throw new UsageError('nothing to change was given', {
        code: 'missing-option',
        hint: 'gt bead update --help',
      })
    }
    const bead = updateBead(town, args.text(0), { ...given, addLabels, removeLabels })
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId} changed` }
  },
})

function timeOrNone(options: OptionValues, name: string, nowMs: number): string | null | undefined {
  const text = orNone(textOption(options, name))
  return typeof text === 'string' ? parseAhead(text, `--${name}`, nowMs) : text
}

function yesOrNo(text: string | undefined): boolean | undefined {
  if (text === undefined || text === 'yes' || text === 'no')
    return text === undefined ? undefined : text === 'yes'
  throw new UsageError(`--strict "${printable(text)}" is neither yes nor no`, { code: 'bad-strict' })
}
