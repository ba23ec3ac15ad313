import { beadJson, beadText } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'bead show',
  aliases: ['issue show'],
  group: 'work',
  summary: 'show a bead with its comments',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  readsOnly: true,
  examples: ['gt bead show issue-123'],
  async run(context, args) {
    const { getBead } = await import('../../../app/find-entity.js')
    const { openBlockers } = await import('../../../app/list-beads.js')
    const view = (await context.town()).ledger.read()
    const bead = getBead(view, args.text(0))
    const comments = view.comments(bead.id)
    const blockers = openBlockers(view, bead).map((key) => view.get(key)?.shownId ?? key)
    return {
      data: { bead: { ...beadJson(bead, blockers), comments } },
      text: beadText(bead, comments, blockers),
    }
  },
})
