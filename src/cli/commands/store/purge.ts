import { UsageError } from '../../../domain/errors.js'
import { defineCommand, listOption } from '../../command.js'
import { parseCount } from '../../parse-values.js'

export default defineCommand({
  name: 'store purge',
  group: 'town',
  summary: 'destroy what was written to a bead, mail or anything else: for secrets that got in',
  about:
    "Without --field and --comment it deletes the whole and all texts of it, for good; its id is never given again. The log, the cache, blobs, and the whole git history of this machine's own beads are rewritten. Other machines do the same by themselves after their next gt sync. Out of reach: old objects on the remote until it packs itself, machines that never sync again, backups, the logs in run/, and copies of the text in other beads or mail: look with grep -r. Change the secret itself first.",
  args: [
    { name: 'id', about: 'of a bead, mail, agent, …; of something deleted, the whole key', required: true },
  ],
  options: [
    {
      flags: '--field <name>',
      about: 'only what was written to this field, like description or labels',
      many: true,
    },
    { flags: '--comment <n>', about: 'only this comment, numbered from 1 as in gt bead show', many: true },
    { flags: '--dry-run', about: 'only say what would be destroyed' },
    { flags: '--yes', about: 'do it: nothing brings it back' },
  ],
  examples: [
    'gt store purge proj-4k7q2 --field description --dry-run',
    'gt store purge proj-4k7q2 --comment 2 --yes',
  ],
  async run(context, args, options) {
    const dryRun = options.dryRun === true
    if (!dryRun && options.yes !== true) {
      throw new UsageError('nothing brings back what is purged', {
        code: 'not-confirmed',
        hint: 'see what it would be with --dry-run, then add --yes',
      })
    }
    const { purgeEntity } = await import('../../../app/purge-entity.js')
    const { purgeText } = await import('../../store-text.js')
    const comments = listOption(options, 'comment').map((text) => parseCount(text, '--comment', 1) ?? 0)
    const done = await purgeEntity(await context.town(), {
      id: args.text(0),
      fields: listOption(options, 'field'),
      comments,
      dryRun,
    })
    const { receipt } = done
    return {
      data: {
        dry_run: dryRun,
        id: done.shownId,
        key: done.id,
        what: done.what,
        values: receipt.values,
        events: receipt.events,
        blobs: receipt.blobs,
        commits: receipt.commits,
        other_clones: receipt.otherClones,
        untouched: receipt.untouched,
      },
      text: purgeText(done, dryRun),
    }
  },
})
