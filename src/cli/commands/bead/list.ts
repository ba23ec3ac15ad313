import { beadJson, beadRows } from '../../bead-text.js'
import { defineCommand, listOption, textOption } from '../../command.js'
import { parseStatuses } from '../../parse-values.js'

export default defineCommand({
  name: 'bead list',
  aliases: ['issue list', 'beads'],
  group: 'work',
  summary: 'list beads by priority and age',
  options: [
    {
      flags: '-s, --status <status>',
      about: 'open, blocked, hooked, in_review, closed, deferred, failed; may be repeated',
      many: true,
    },
    { flags: '--all', about: 'closed ones too' },
    { flags: '--archived', about: 'those closed long ago ([store] archive_after); with --all, these too' },
    { flags: '--rig <rig>', about: 'only of this rig' },
    { flags: '-l, --label <label>', about: 'only with this label' },
    { flags: '--agent <agent>', about: 'only of this agent' },
  ],
  readsOnly: true,
  examples: ['gt bead list', 'gt bead list -s closed --rig proj --json'],
  async run(context, _args, options) {
    const { listBeads } = await import('../../../app/list-beads.js')
    const town = await context.town()
    const view = town.ledger.read()
    const isArchived = options.archived === true
    const status =
      options.all === true
        ? (['open', 'blocked', 'hooked', 'in_review', 'closed', 'deferred', 'failed'] as const)
        : (parseStatuses(listOption(options, 'status')) ?? (isArchived ? (['closed'] as const) : undefined))
    const rig = textOption(options, 'rig')
    if (rig !== undefined) (await import('../../../app/find-entity.js')).getRig(town, rig)
    const label = textOption(options, 'label')
    const agent = textOption(options, 'agent')
    const beads = listBeads(view, {
      ...(status === undefined ? {} : { status }),
      ...(isArchived ? { archived: options.all === true ? 'too' : 'only' } : {}),
      ...(rig === undefined ? {} : { rig }),
      ...(label === undefined ? {} : { label }),
      ...(agent === undefined
        ? {}
        : { assignee: (await import('../../../app/find-entity.js')).getAgent(view, agent).id }),
    })
    return {
      data: () => ({ beads: beads.map((bead) => beadJson(bead, bead.openBlockers)) }),
      text: beads.length === 0 ? 'no beads; make one: gt bead create "what to do"' : beadRows(beads),
    }
  },
})
