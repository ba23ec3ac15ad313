import { defineCommand } from '../../command.js'
import { table } from '../../table.js'

export default defineCommand({
  name: 'runtime list',
  group: 'set-up',
  summary: 'list the programs that agents can run on, and whether they are installed',
  examples: ['gt runtime list'],
  async run(context) {
    const town = await context.town()
    const runtimes = Object.values(town.config.runtimes).map((runtime) => {
      const program = runtime.command[0]
      const found = program === undefined ? undefined : town.host.findProgram(program, town.env.PATH ?? '')
      return {
        name: runtime.name,
        command: runtime.command,
        found: found ?? null,
        hooks: runtime.hooks,
        resume: runtime.resumeArgs.length > 0,
      }
    })
    const rows = runtimes.map((r) => [
      r.name,
      r.found === null ? 'missing' : 'installed',
      r.hooks,
      r.resume ? 'yes' : 'no',
      r.command.join(' ') || '(give it a command in town.toml)',
    ])
    return { data: { runtimes }, text: table(rows, ['RUNTIME', 'PROGRAM', 'HOOKS', 'RESUME', 'COMMAND']) }
  },
})
