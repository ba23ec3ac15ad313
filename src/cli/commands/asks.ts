import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'asks',
  group: 'talk',
  summary: 'list what waits for a person: permissions and questions of all agents, oldest first',
  about:
    'From every OpenCode session, subagents included. `gt answer` answers one; [[asks.policies]] of town.toml answer by themselves, ' +
    'and so does the deadline ([asks] deadline and on_deadline). STATUS answered: somebody answered, the session has not confirmed it yet; ' +
    'dead: the session is gone, and with it who asked.',
  options: [{ flags: '--all', about: 'also those that are closed' }],
  examples: ['gt asks', 'gt asks --all --json'],
  async run(context, _args, options) {
    const { expireAsks, listAsks } = await import('../../app/answer-ask.js')
    const { gone } = await import('../../app/gone-sessions.js')
    const { askRows, askText } = await import('../ask-text.js')
    const town = await context.town()
    expireAsks(town)
    const asks = listAsks(town, options.all === true)
    const open = asks.filter((ask) => ask.status !== 'closed')
    const dead = await gone(town, new Set(open.map((ask) => ask.agent)))
    const now = town.clock.now()
    return {
      data: { asks: asks.map((ask) => ({ ...ask, isDead: ask.status !== 'closed' && dead.has(ask.agent) })) },
      text:
        asks.length === 0
          ? 'nothing waits for you'
          : asks.length > 5 || options.all === true
            ? askRows(asks, now, dead)
            : [
                ...asks.flatMap((ask) => askText(ask, now, dead)),
                '',
                'gt answer ID allow|always|deny|"text"',
              ],
    }
  },
})
