import { defineCommand, textOption } from '../command.js'
import { plain } from '../table.js'

export default defineCommand({
  name: 'hook',
  group: 'work',
  summary: 'show the bead an agent is bound to',
  options: [{ flags: '--as <agent>', about: 'which agent (default: the one whose session this is)' }],
  readsOnly: true,
  examples: ['gt hook', 'gt hook --as proj/toast'],
  async run(context, _args, options) {
    const { identifyAgent } = await import('../../app/identify-agent.js')
    const { findBead } = await import('../../app/find-entity.js')
    const { beadJson } = await import('../bead-text.js')
    const town = await context.town()
    const view = town.ledger.read()
    const agent = identifyAgent(town, view, textOption(options, 'as'))
    const bead = findBead(view, agent.hook)
    return {
      data: {
        agent: agent.id,
        bead: bead === undefined ? null : beadJson(bead),
        branch: agent.branch ?? null,
        worktree: agent.worktree ?? null,
      },
      text:
        bead === undefined
          ? `${agent.id} has nothing on its hook`
          : `${agent.id} is bound to ${bead.shownId} (${bead.status}): ${plain(bead.title)} · branch ${agent.branch}`,
    }
  },
})
