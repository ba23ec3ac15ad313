import { defineCommand } from '../../command.js'

export default defineCommand({
  name: 'rig show',
  aliases: ['project show'],
  group: 'set-up',
  summary: 'show a rig: its repository, gates and agents',
  args: [{ name: 'rig', about: 'name of the rig', required: true }],
  examples: ['gt rig show proj'],
  async run(context, args) {
    const { getRig } = await import('../../../app/find-entity.js')
    const { agentFrom } = await import('../../../domain/agent.js')
    const town = await context.town()
    const rig = getRig(town, args.text(0))
    const view = town.ledger.read()
    const agents = view
      .list({ kind: 'agent' })
      .map(agentFrom)
      .filter((agent) => agent.rig === rig.name)
    const busy = agents.filter((agent) => agent.hook !== undefined)
    return {
      data: {
        rig,
        agents: agents.map((agent) => ({
          id: agent.id,
          hook: agent.hook ?? null,
          branch: agent.branch ?? null,
        })),
      },
      text: [
        `${rig.name}  ${rig.source.kind === 'url' ? rig.source.url : rig.source.path}`,
        `  lands on ${rig.branch} · bead prefix ${rig.prefix}-`,
        ...(rig.gates.length === 0
          ? ['  no gates']
          : rig.gates.map((gate) => `  gate ${gate.name}: ${gate.run}`)),
        ...(busy.length === 0
          ? ['  nobody works on it']
          : busy.map((agent) => `  ${agent.id} on ${view.get(agent.hook ?? '')?.shownId ?? agent.hook}`)),
      ],
    }
  },
})
