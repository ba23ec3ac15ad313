import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'store commit',
  group: 'town',
  summary:
    "commit the beads to the store's own git history now (happens by itself about every 30 seconds of work)",
  options: [{ flags: '-m, --message <text>', about: 'message of the commit' }],
  examples: ['gt store commit', 'git -C ~/gt/.beads log --stat'],
  async run(context, _args, options) {
    const message = typeof options.message === 'string' ? options.message : undefined
    const commit = await (await context.town()).ledger.commitHistory(message)
    return {
      data: { commit: commit ?? null },
      text: commit === undefined ? 'nothing new' : `committed ${commit}`,
    }
  },
})
