import { BEAD_FILTERS, chooseBeads, statusesIn } from '../../bead-filters.js'
import { beadJson, beadRows } from '../../bead-text.js'
import { type CliContext, defineCommand, type OptionValues } from '../../command.js'

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
    ...BEAD_FILTERS,
  ],
  readsOnly: true,
  examples: [
    'gt bead list',
    'gt bead list -s closed --rig proj --json',
    'gt bead list --priority 0-1 --label urgent --updated-before 3d --sort updated',
  ],
  async run(context, _args, options) {
    const beads = await chooseBeads(context, options, 'list')
    const archived = await archivedBesides(context, options)
    if (archived > 0) context.note(`${archived} closed long ago are archived; see them with --archived`)
    return {
      data: () => ({
        beads: beads.map((bead) => beadJson(bead, bead.openBlockers)),
        ...(archived > 0 ? { archived } : {}),
      }),
      text: beads.length === 0 ? 'no beads; make one: gt bead create "what to do"' : beadRows(beads),
    }
  },
})

/** A list of closed beads that leaves some out says so; whatever else narrows it, they are not in it. */
async function archivedBesides(context: CliContext, options: OptionValues): Promise<number> {
  const asksForClosed = statusesIn(options)?.some((status) => status === 'closed') === true
  if (!asksForClosed || options.archived === true) return 0
  return (await context.town()).ledger.read().count({ kind: 'bead', status: 'closed', archived: 'only' })
}
