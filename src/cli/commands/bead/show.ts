import { beadJson, beadText } from '../../bead-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'bead show',
  aliases: ['issue show'],
  group: 'work',
  summary: 'show a bead with its comments, parents, children and attachments',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  readsOnly: true,
  examples: ['gt bead show issue-123'],
  async run(context, args) {
    const [{ getBead }, { openBlockers }, { relationsOf }, { relationLines, relationsJson }] =
      await Promise.all([
        import('../../../app/find-entity.js'),
        import('../../../app/list-beads.js'),
        import('../../../app/dependencies.js'),
        import('../../relation-lines.js'),
      ])
    const [{ listAttachments }, { attachmentLines, attachmentsJson }] = await Promise.all([
      import('../../../app/attachments.js'),
      import('../../attachment-text.js'),
    ])
    const town = await context.town()
    const view = town.ledger.read()
    const bead = getBead(view, args.text(0))
    const comments = view.comments(bead.id)
    const blockers = openBlockers(view, bead).map((key) => view.get(key)?.shownId ?? key)
    const relations = relationsOf(view, bead)
    const attachments = listAttachments(town, bead.id)
    const notes = view.get(bead.id)?.fields.notes
    const described =
      typeof notes === 'string' && notes !== ''
        ? { ...bead, description: `${bead.description}\n\nnotes:\n${notes}`.trim() }
        : bead
    return {
      data: {
        bead: {
          ...beadJson(bead, blockers),
          notes: notes ?? null,
          ...relationsJson(relations),
          attachments: attachmentsJson(attachments),
          comments,
        },
      },
      text: beadText(described, comments, blockers, [
        ...relationLines(relations),
        ...attachmentLines(attachments),
      ]),
    }
  },
})
