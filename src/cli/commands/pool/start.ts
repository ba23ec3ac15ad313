import { UsageError } from '../../../domain/errors.js'
import { defineCommand, textOption } from '../../command.js'
import { backendOption } from '../../parse-backend.js'
import { parseCount } from '../../parse-values.js'
import { poolText } from '../../pool-text.js'

export default defineCommand({
  name: 'pool start',
  group: 'agents',
  summary: 'open a pool: at most N agents at once in a rig, each bead waiting for a free place',
  about:
    'A place without work costs nothing: no process, no token. Each bead gets an agent and a conversation of its own. ' +
    'An agent that dies is started again, twice; then its bead is taken back, its tree saved, and you get mail.',
  args: [{ name: 'rig', about: 'where', required: true }],
  options: [
    { flags: '--count <n>', about: 'agents at work at once' },
    { flags: '--role <role>', about: 'role of its agents (default: polecat)' },
    { flags: '--agent <runtime>', about: 'runtime of its agents' },
    {
      flags: '--backend <backend>',
      about: 'tmux, opencode or hybrid (default: that of the role, rig or town)',
    },
    { flags: '--model <model>', about: 'model, in the words of the runtime' },
  ],
  examples: ['gt pool start proj --count 4', 'gt pool start --count 8 --role polecat proj'],
  async run(context, args, options) {
    const size = parseCount(textOption(options, 'count'), '--count', 1)
    if (size === undefined) {
      throw new UsageError('how many agents at once?', {
        code: 'missing-argument',
        hint: `gt pool start ${args.text(0)} --count 4`,
      })
    }
    const { startPool } = await import('../../../app/pools.js')
    const wish = (key: string, option: string) => {
      const value = textOption(options, option)
      return value === undefined ? {} : { [key]: value }
    }
    const pool = startPool(await context.town(), {
      rig: args.text(0),
      size,
      ...wish('role', 'role'),
      ...wish('runtime', 'agent'),
      ...backendOption(options),
      ...wish('model', 'model'),
      ...backendOption(options),
    })
    return {
      data: { pool },
      text: [...poolText(pool), `give it work: gt pool assign BEAD… --pool ${pool.id}`],
    }
  },
})
