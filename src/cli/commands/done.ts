import { defineCommand, textOption } from '../command.js'

export default defineCommand({
  name: 'done',
  group: 'work',
  summary: 'hand in the commits of your branch to the merge queue',
  about:
    'Refuses, with the reason, a dirty tree, an empty branch, another branch, or commits that hold a file of gt. Running it again is safe.',
  options: [{ flags: '--as <agent>', about: 'which agent (default: the one whose session this is)' }],
  examples: ['gt done', 'gt done --as proj/toast'],
  async run(context, _args, options) {
    const { identifyAgent } = await import('../../app/identify-agent.js')
    const { finishWork } = await import('../../app/finish-work.js')
    const { kickMergeQueue } = await import('../../app/run-merge-queue.js')
    const town = await context.town()
    const finished = await finishWork(
      town,
      identifyAgent(town, town.ledger.read(), textOption(options, 'as')),
    )
    await kickMergeQueue(town)
    town.step('done.kicked')
    return {
      data: finished,
      text: [
        finished.already
          ? `${finished.bead} is in the merge queue already (${finished.entry})`
          : `${finished.bead} is in the merge queue: ${finished.entry}, ${finished.branch} at ${finished.head.slice(0, 10)} (read back from ${finished.published})`,
        'You hear from the queue only if something must be fixed. Stop here.',
      ],
    }
  },
})
