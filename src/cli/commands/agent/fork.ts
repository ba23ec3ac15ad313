import { defineCommand, textOption } from '../../command.js'

export default defineCommand({
  name: 'agent fork',
  group: 'agents',
  summary: 'start a copy of an agent: its conversation, commits and uncommitted files, on a bead of its own',
  about:
    'The original goes on undisturbed. Works for agents on a server, and for terminal programs whose runtime has fork_args.',
  args: [{ name: 'agent', about: 'the original', required: true }],
  options: [
    { flags: '--bead <bead>', about: 'an open bead for the copy (default: one is made)' },
    { flags: '--name <name>', about: 'name of the copy (default: the next free one)' },
    { flags: '--at <message>', about: 'begin before this message of the conversation (default: at its end)' },
    { flags: '--args <text>', about: 'said to the copy' },
  ],
  examples: ['gt agent fork toast', 'gt agent fork toast --name nux --args "try it without a cache"'],
  async run(context, args, options) {
    const { forkAgent } = await import('../../../app/fork-agent.js')
    const given = (key: string, option: string) => {
      const value = textOption(options, option)
      return value === undefined ? {} : { [key]: value }
    }
    const copy = await forkAgent(await context.town(), {
      agent: args.text(0),
      ...given('bead', 'bead'),
      ...given('name', 'name'),
      ...given('forkAt', 'at'),
      ...given('args', 'args'),
    })
    return {
      data: copy,
      text: `${copy.agent} is a copy, on ${copy.bead} and ${copy.branch} (${copy.location})`,
    }
  },
})
