import { defineCommand } from '../command.js'
import { table } from '../table.js'

export default defineCommand({
  name: 'check',
  group: 'agents',
  summary:
    'compare every recorded session with what its backend really has; record those that are proven gone',
  about: 'Exit code 1 when anything differs or could not be asked. What could not be asked is left as it is.',
  args: [{ name: 'agent', about: 'only these', many: true }],
  examples: ['gt check', 'gt check toast --json'],
  async run(context, args) {
    const { checkSessions } = await import('../../app/check-sessions.js')
    const { kickPools } = await import('../../app/run-pools.js')
    const town = await context.town()
    const verdicts = await checkSessions(town, args.list(0))
    await kickPools(town)
    const bad = verdicts.filter(({ kind }) => kind !== 'ok').length
    return {
      data: { sessions: verdicts, differ: bad },
      text:
        verdicts.length === 0
          ? 'no session was ever recorded here'
          : [
              ...table(
                verdicts.map(({ kind, agent, what }) => [kind, agent, what]),
                ['CHECK', 'AGENT', 'WHAT'],
              ),
              bad === 0 ? 'records and reality agree' : `${bad} of ${verdicts.length} differ`,
            ],
      exitCode: bad === 0 ? 0 : 1,
    }
  },
})
