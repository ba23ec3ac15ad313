import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'whoami',
  group: 'inside a session',
  summary: 'say who gt takes you for',
  examples: ['gt whoami'],
  async run(context) {
    const town = await context.town()
    return { data: { actor: town.actor, town: town.root }, text: `${town.actor} in ${town.root}` }
  },
})
