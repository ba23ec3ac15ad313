import { UsageError } from '../../domain/errors.js'
import { printable } from '../../domain/ids.js'
import { defineCommand, textOption } from '../command.js'

export default defineCommand({
  name: 'export',
  group: 'town',
  summary: 'write beads, mail and convoys as JSON lines that bd and gt read',
  args: [{ name: 'file', about: 'where to (default: standard output)' }],
  options: [
    { flags: '--format <format>', about: 'bd (default)' },
    { flags: '--without-mail', about: 'leave messages out' },
  ],
  readsOnly: true,
  examples: ['gt export beads.jsonl', 'gt export | jq -r .title'],
  async run(context, args, options) {
    const format = textOption(options, 'format') ?? 'bd'
    if (format !== 'bd')
      throw new UsageError(`"${printable(format)}" is no format of gt export`, {
        code: 'bad-format',
        hint: 'bd',
      })
    const { exportBeads } = await import('../../app/export-beads.js')
    const town = await context.town()
    const lines = exportBeads(town.ledger.read(), { withMail: options.withoutMail !== true }).map(harmless)
    const file = args.optional(0)
    if (file === undefined || file === '-')
      return { data: () => ({ issues: lines.map((line) => JSON.parse(line) as unknown) }), text: lines }
    const path = file.startsWith('/') ? file : `${context.io.cwd}/${file}`
    const { writeExport } = await import('../../app/write-export.js')
    writeExport(town, path, lines.map((line) => `${line}\n`).join(''))
    return { data: { file, count: lines.length }, text: `${lines.length} written to ${printable(file, 300)}` }
  },
})

/** JSON escapes the other control characters itself; these could still drive a terminal. */
function harmless(line: string): string {
  return line.replace(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
