import { BEAD_FILTERS, chooseBeads } from '../../bead-filters.js'
import { beadJson, beadRows } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

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
    return {
      data: () => ({ beads: beads.map((bead) => beadJson(bead, bead.openBlockers)) }),
      text: beads.length === 0 ? 'no beads; make one: gt bead create "what to do"' : beadRows(beads),
    }
  },
})
