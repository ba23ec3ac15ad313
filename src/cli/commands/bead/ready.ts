import { BEAD_FILTERS, chooseBeads } from '../../bead-filters.js'
import { beadJson, beadRows } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'bead ready',
  aliases: ['issue ready', 'ready'],
  group: 'work',
  summary: 'list the beads that could be slung now',
  about: 'Open ones that wait for nothing and are not set aside until later.',
  options: BEAD_FILTERS,
  readsOnly: true,
  examples: ['gt bead ready', 'gt sling $(gt bead ready --json | jq -r ".beads[].id") proj'],
  async run(context, _args, options) {
    const beads = await chooseBeads(context, options, 'ready')
    return {
      data: () => ({ beads: beads.map((bead) => beadJson(bead, bead.openBlockers)) }),
      text: beads.length === 0 ? 'nothing is ready' : beadRows(beads),
    }
  },
})
