import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'agents',
  aliases: ['agent list'],
  group: 'agents',
  summary: 'the live dashboard on a terminal; a plain table when piped',
  options: [{ flags: '--plain', about: 'the table, also on a terminal' }],
  examples: ['gt agents', 'gt agents | grep waiting', 'gt agents --json'],
  async run(context, _args, options) {
    const { readTownView } = await import('../../app/town-view.js')
    const { agentRows, hasUnicode } = await import('../agent-text.js')
    const town = await context.town()
    const { io } = context
    if (!context.json && options.plain !== true && io.stdout.isTTY && io.stdin.isTTY) {
      const { showDashboard } = await import('../show-dashboard.js')
      await showDashboard(town, context)
      return undefined
    }
    const view = await readTownView(town)
    for (const problem of view.problems) context.note(`! ${problem}`)
    return {
      data: view,
      text:
        view.agents.length === 0
          ? 'no agents; give work to one: gt sling BEAD RIG'
          : agentRows(view, hasUnicode(io.env)),
    }
  },
})
