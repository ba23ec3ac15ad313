import { UsageError } from '../../../domain/errors.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'store compact',
  group: 'town',
  summary: 'fold what was written so far into one line for each bead, mail and agent (happens by itself)',
  about:
    'Overwritten values and events older than 14 days go; everything that counts stays, and the history in .beads/.git keeps what was there before. Safe while agents work. gt does it by itself after 64 full files of the log, else once a day. The history is packed after 500 commits, and made one commit when its first is 90 days old; the old commits stay under refs/archive/ of .beads/.git, on this machine.',
  options: [
    { flags: '--dry-run', about: 'only say what it would do' },
    { flags: '--history', about: 'also make one commit of the git history in .beads/.git, and pack it' },
    { flags: '--due', about: 'only what is due by now (what gt starts by itself)' },
  ],
  examples: ['gt store compact --dry-run', 'gt store compact --history'],
  async run(context, _args, options) {
    if (options.dryRun === true && options.history === true) {
      throw new UsageError('--dry-run can say nothing about --history', {
        code: 'bad-combination',
        hint: 'give one of them',
      })
    }
    const { compactStore } = await import('../../../app/compact-store.js')
    const { compactionText } = await import('../../store-text.js')
    const dryRun = options.dryRun === true
    const done = await compactStore(await context.town(), {
      dryRun,
      onlyDue: options.due === true,
      history: options.history === true,
    })
    return {
      data: {
        dry_run: dryRun,
        compaction: done.compaction ?? null,
        purges: done.purges ?? 0,
        history: done.history ?? null,
      },
      text: compactionText(done, dryRun),
    }
  },
})
