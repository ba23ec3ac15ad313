import { defineCommand, textOption } from '../command.js'

export default defineCommand({
  name: 'prime',
  group: 'inside a session',
  summary: 'show an agent its context: role, bead, mail, rules, next commands (at most 6 KB)',
  options: [
    { flags: '--as <agent>', about: 'which agent (default: the one whose session this is)' },
    { flags: '--hook', about: "called by the agent's plugin" },
    { flags: '--compact', about: 'the conversation was compacted' },
    { flags: '--session-id <id>', about: 'conversation of the caller' },
  ],
  readsOnly: true,
  examples: ['gt prime', 'gt prime --as proj/toast --json'],
  async run(context, _args, options) {
    const { identifyAgent } = await import('../../app/identify-agent.js')
    const { primeAgent } = await import('../../app/prime-agent.js')
    const town = await context.town()
    const agent = identifyAgent(town, town.ledger.read(), textOption(options, 'as'))
    const primed = primeAgent(town, agent, { compacted: options.compact === true })
    return { data: primed, text: primed.text }
  },
})
