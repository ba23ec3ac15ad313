import { beadJson, beadRows } from '../../bead-text.js'
import { defineCommand, textOption } from '../../command.js'

export default defineCommand({
  name: 'bead ready',
  aliases: ['issue ready', 'ready'],
  group: 'work',
  summary: 'list the beads that could be slung now',
  options: [{ flags: '--rig <rig>', about: 'only of this rig' }],
  readsOnly: true,
  examples: ['gt bead ready', 'gt sling $(gt bead ready --json | jq -r ".beads[].id") proj'],
  async run(context, _args, options) {
    const { readyBeads } = await import('../../../app/list-beads.js')
    const town = await context.town()
    const rig = textOption(options, 'rig')
    if (rig !== undefined) (await import('../../../app/find-entity.js')).getRig(town, rig)
    const beads = readyBeads(town.ledger.read(), rig)
    return {
      data: () => ({ beads: beads.map((bead) => beadJson(bead, bead.openBlockers)) }),
      text: beads.length === 0 ? 'nothing is ready' : beadRows(beads),
    }
  },
})
