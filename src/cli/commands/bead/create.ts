import { beadJson } from '../../bead-text.js'
import { defineCommand, listOption, textOption } from '../../command.js'
import { parseAhead } from '../../parse-since.js'
import { parsePriority } from '../../parse-values.js'
import { readText } from '../../read-text.js'
import { plain } from '../../table.js'

export default defineCommand({
  name: 'bead create',
  aliases: ['issue create'],
  group: 'work',
  summary: 'make a bead',
  args: [{ name: 'title', about: 'what to do, in one line', required: true, many: true }],
  options: [
    { flags: '--id <id>', about: 'the id it shall have (default: one is made)' },
    { flags: '-m, --description <text>', about: 'all there is to know; - reads standard input' },
    { flags: '-p, --priority <0-4>', about: '0 first, 4 last (default 2)' },
    { flags: '--type <word>', about: 'task, bug, feature, …' },
    { flags: '-l, --label <label>', about: 'may be repeated', many: true },
    { flags: '--rig <rig>', about: 'the rig it belongs to' },
    { flags: '--notes <text>', about: 'what else is known; - reads standard input' },
    { flags: '--parent <bead>', about: 'the bead it is a part of' },
    { flags: '--discovered-from <bead>', about: 'the work it was found at; may be repeated', many: true },
    { flags: '--defer <time>', about: 'not ready until then: 3d, 2026-12-24' },
    { flags: '--due <time>', about: 'to be done by then' },
    {
      flags: '--strict',
      about: 'with several machines: to be claimed only when the remote gave this machine the right to',
    },
    { flags: '--blocked-by <bead>', about: 'must be closed first; may be repeated', many: true },
  ],
  examples: [
    'gt bead create --id issue-123 "fix the rounding in totals"',
    'gt bead create "add a test" --rig proj --blocked-by issue-123',
  ],
  async run(context, args, options) {
    const { createBead } = await import('../../../app/create-bead.js')
    const town = await context.town()
    const rig = textOption(options, 'rig')
    if (rig !== undefined) (await import('../../../app/find-entity.js')).getRig(town, rig)
    const description = await readText(context.io, textOption(options, 'description'))
    const priority = parsePriority(textOption(options, 'priority'))
    const id = textOption(options, 'id')
    const type = textOption(options, 'type')
    const notes = await readText(context.io, textOption(options, 'notes'))
    const parent = textOption(options, 'parent')
    const ahead = (name: string) => {
      const text = textOption(options, name)
      return text === undefined ? undefined : parseAhead(text, `--${name}`, town.clock.now())
    }
    const deferUntil = ahead('defer')
    const dueAt = ahead('due')
    const bead = createBead(town, {
      title: args.text(0),
      labels: listOption(options, 'label'),
      blockedBy: listOption(options, 'blockedBy'),
      discoveredFrom: listOption(options, 'discoveredFrom'),
      ...(notes === undefined ? {} : { notes }),
      ...(parent === undefined ? {} : { parent }),
      ...(deferUntil === undefined ? {} : { deferUntil }),
      ...(dueAt === undefined ? {} : { dueAt }),
      ...(options.strict === true ? { strict: true } : {}),
      ...(id === undefined ? {} : { id }),
      ...(description === undefined ? {} : { description }),
      ...(priority === undefined ? {} : { priority }),
      ...(type === undefined ? {} : { type }),
      ...(rig === undefined ? {} : { rig }),
    })
    return { data: { bead: beadJson(bead) }, text: `${bead.shownId}  ${plain(bead.title, 500)}` }
  },
})
