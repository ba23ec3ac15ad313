import { defineCommand, textOption } from '../../command.js'
import { parseDuration } from '../../parse-values.js'
import { plain } from '../../table.js'

const TIMEOUT_MS = 120_000

export default defineCommand({
  name: 'store retire',
  group: 'town',
  summary: 'take over the records of a machine that is gone for good, and delete its branch',
  about:
    'Its records become part of this machine’s chain; the other machines then drop their copies. Beads that its agents held can be ' +
    'unslung afterwards. Should it come back, it sends its branch again and nothing counts twice; until then its last commit ' +
    'is kept as refs/archive/retired/CLONE in .beads/.git.',
  args: [{ name: 'clone', about: 'its id (gt store clones)', required: true }],
  options: [
    { flags: '--force', about: 'although it wrote within the last day' },
    { flags: '--dry-run', about: 'only say what would be done' },
    { flags: '--timeout <duration>', about: 'give up after this long (default 2m)' },
  ],
  examples: ['gt store clones', 'gt store retire k7f3q --dry-run', 'gt store retire k7f3q'],
  async run(context, args, options) {
    const { retireClone } = await import('../../../app/retire-clone.js')
    const dryRun = options.dryRun === true
    const retired = await retireClone(await context.town(), {
      clone: args.text(0),
      force: options.force === true,
      dryRun,
      timeoutMs: parseDuration(textOption(options, 'timeout'), '--timeout') ?? TIMEOUT_MS,
      signal: context.io.signal,
    })
    const { name, records, beads } = retired
    return {
      data: { ...retired, dryRun },
      text: [
        dryRun ? `would retire ${plain(name)}` : `retired ${plain(name)}: ${records} records are kept here`,
        ...(beads.length > 0 ? [`its agents hold ${beads.join(', ')}: gt unsling ${beads.join(' ')}`] : []),
      ],
    }
  },
})
