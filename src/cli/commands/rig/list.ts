import { defineCommand } from '../../command.js'
import { table } from '../../table.js'

export default defineCommand({
  name: 'rig list',
  aliases: ['project list', 'rigs'],
  group: 'set-up',
  summary: 'list the repositories under management',
  examples: ['gt rig list'],
  async run(context) {
    const { config } = await context.town()
    const rigs = Object.values(config.rigs)
    const rows = rigs.map((rig) => [
      rig.name,
      rig.branch,
      `${rig.gates.length}`,
      rig.source.kind === 'url' ? rig.source.url : rig.source.path,
    ])
    return {
      data: { rigs },
      text:
        rigs.length === 0
          ? 'no rigs; add one: gt rig add NAME URL|PATH'
          : table(rows, ['RIG', 'BRANCH', 'GATES', 'FROM']),
    }
  },
})
