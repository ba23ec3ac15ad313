import { agentText } from '../../agent-text.js'
import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'agent show',
  group: 'agents',
  summary: 'show an agent: state, bead, branch, session, last events, last screen',
  args: [{ name: 'agent', about: 'whom', required: true }],
  examples: ['gt agent show toast'],
  async run(context, args) {
    const { getAgent } = await import('../../../app/find-entity.js')
    const { readTownView } = await import('../../../app/town-view.js')
    const { screenPath } = await import('../../../app/start-session.js')
    const town = await context.town()
    const agent = getAgent(town.ledger.read(), args.text(0))
    const view = await readTownView(town)
    const shown = view.agents.find((one) => one.id === agent.id)
    const events = town.ledger
      .read()
      .events({ limit: 2_000 })
      .filter((event) => event.data.agent === agent.id)
      .slice(-10)
    const screen = town.host.readFile(screenPath(town, agent))?.trimEnd().split('\n').slice(-15) ?? []
    return {
      data: { agent: shown, events, lastScreen: screen },
      text: shown === undefined ? agent.id : agentText(shown, events, screen),
    }
  },
})
