import { defineCommand } from '../../command.js'
import { historyLines } from '../../history-text.js'

export default defineCommand({
  name: 'bead history',
  aliases: ['issue history'],
  group: 'work',
  summary: 'show every change of a bead, by whom and when, also those that did not count',
  about:
    'Read from the log itself, of all clones. VOID: another writer was first. OVERRULED: another clone, or a later value, won. Compaction keeps outcomes only, and it is said where that is so.',
  args: [{ name: 'bead', about: 'id, or the start of one', required: true }],
  readsOnly: true,
  examples: ['gt bead history issue-123'],
  async run(context, args) {
    const { beadHistory } = await import('../../../app/bead-history.js')
    const { bead, history } = await beadHistory(await context.town(), args.text(0))
    return {
      data: {
        bead: { id: bead.shownId, key: bead.id },
        compacted_up_to: history.compactedUpTo ?? null,
        entries: history.entries,
      },
      text: historyLines(history),
    }
  },
})
