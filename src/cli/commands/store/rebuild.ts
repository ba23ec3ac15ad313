import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'store rebuild',
  group: 'town',
  summary: 'make again what is derived from the log: the cache, and what is missing in the history',
  about: 'The log itself is not touched; gt doctor mends that. Safe beside running agents.',
  examples: ['gt store rebuild'],
  readsOnly: true,
  async run(context) {
    const done = await (await (await context.town()).upkeep()).rebuild()
    return {
      data: { done },
      text: done.map(({ did, undo }) => (undo === undefined ? did : `${did} (the old one: ${undo})`)),
    }
  },
})
