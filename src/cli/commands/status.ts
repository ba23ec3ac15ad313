import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'status',
  group: 'agents',
  summary: 'show the town: agents, beads, merge queue, and everything that is wrong',
  about:
    'Reads the store and asks the sessions; it also sets a merge queue going whose worker died. Works without any running process of gt.',
  examples: ['gt status', 'gt status --json'],
  async run(context) {
    const { readTownView } = await import('../../app/town-view.js')
    const { kickMergeQueue } = await import('../../app/run-merge-queue.js')
    const { kickPools } = await import('../../app/run-pools.js')
    const { hasUnicode } = await import('../agent-text.js')
    const { statusText } = await import('../status-text.js')
    const town = await context.town()
    const view = await readTownView(town)
    await kickMergeQueue(town)
    await kickPools(town)
    return { data: view, text: statusText(view, hasUnicode(context.io.env)) }
  },
})
