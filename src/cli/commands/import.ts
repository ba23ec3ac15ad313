import { NotFoundError, UsageError } from '../../domain/errors.js'
import { printable } from '../../domain/ids.js'
import { defineCommand, textOption } from '../command.js'
import { readStdin } from '../read-text.js'

export default defineCommand({
  name: 'import',
  group: 'town',
  summary: 'take beads from a file of bd (JSON lines)',
  about:
    'Values keep the dates that the file gives them, so an old file never overwrites later changes, and importing twice changes nothing.',
  args: [{ name: 'file', about: 'JSON lines, like .beads/issues.jsonl of bd; - reads standard input' }],
  options: [
    { flags: '--from <source>', about: 'bd (default)' },
    { flags: '--skip-bad', about: 'import the rest when lines cannot be read' },
    { flags: '--dry-run', about: 'say what would happen, write nothing' },
  ],
  examples: ['gt import ~/src/proj/.beads/issues.jsonl --dry-run', 'bd export | gt import -'],
  async run(context, args, options) {
    const from = textOption(options, 'from') ?? 'bd'
    if (from !== 'bd') throw unknownSource(from)
    const file = args.optional(0)
    if (file === undefined)
      throw new UsageError('name the file to import', {
        code: 'missing-argument',
        hint: 'gt import FILE, or - for standard input',
      })
    const [{ importBeads }, { importJson, importText }] = await Promise.all([
      import('../../app/import-beads.js'),
      import('../import-text.js'),
    ])
    const town = await context.town()
    const path = file.startsWith('/') ? file : `${context.io.cwd}/${file}`
    const text = file === '-' ? await readStdin(context.io) : town.host.readFile(path)
    if (text === undefined)
      throw new NotFoundError(`cannot read ${printable(file, 200)}`, {
        code: 'no-such-file',
        hint: 'bd export > issues.jsonl writes one',
      })
    const receipt = importBeads(town, text, {
      dryRun: options.dryRun === true,
      skipBad: options.skipBad === true,
      onProgress: (done, total) => {
        if (done % 2_000 === 0) context.note(`${done} of ${total}`)
      },
    })
    return { data: importJson(receipt), text: importText(receipt) }
  },
})

function unknownSource(from: string): UsageError {
  return new UsageError(`"${printable(from)}" is no source that can be imported`, {
    code: 'bad-source',
    hint: 'bd',
  })
}
