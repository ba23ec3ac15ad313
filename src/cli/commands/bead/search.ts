import { beadJson } from '../../bead-text.js'
import { defineCommand, textOption } from '../../command.js'
import { parseCount } from '../../parse-values.js'
import { plain } from '../../table.js'

export default defineCommand({
  name: 'bead search',
  aliases: ['issue search'],
  group: 'work',
  summary: 'find beads by words in title, description, notes and comments',
  about:
    'Closed ones too. Every word must be there; capitals do not matter; what has them in the title comes first.',
  args: [{ name: 'words', about: 'what to look for', required: true, many: true }],
  options: [{ flags: '-n, --limit <n>', about: 'at most so many (default 20)' }],
  readsOnly: true,
  examples: ['gt bead search rounding totals', 'gt bead search "merge queue" -n 5'],
  async run(context, args, options) {
    const { searchBeads } = await import('../../../app/search-beads.js')
    const limit = parseCount(textOption(options, 'limit'), '--limit', 1) ?? 20
    const { total, found } = searchBeads((await context.town()).ledger.read(), args.text(0), limit)
    const lines = found.flatMap(({ bead, field, excerpt }) => [
      `${bead.shownId}  ${bead.status}  P${bead.priority}  ${plain(bead.title, 90)}`,
      ...(field === 'title' || field === 'id' ? [] : [`    ${field}: ${plain(excerpt, 130)}`]),
    ])
    if (total > found.length) lines.push(`and ${total - found.length} more: -n ${total}`)
    return {
      data: { total, beads: found.map(({ bead, ...hit }) => ({ ...beadJson(bead), ...hit })) },
      text: total === 0 ? 'nothing found' : lines,
    }
  },
})
