import type { Finding } from '../../domain/finding.js'
import { defineCheck } from '../check.js'
import { readTownView } from '../town-view.js'

const DEAD: readonly string[] = ['stopped', 'failed']

/** Work whose agent is gone. */
export default defineCheck({
  group: 'agents',
  async run({ town }) {
    if (town === undefined) return []
    const view = await readTownView(town)
    const stuck = view.agents.filter((agent) => agent.bead?.status === 'hooked' && DEAD.includes(agent.state))
    const findings: Finding[] = stuck.map((agent) => ({
      id: 'hooked-by-dead-agent',
      severity: 'warning',
      what: `${agent.bead?.id} is hooked by ${agent.id}, which is ${agent.state}${agent.detail === '' ? '' : `: ${agent.detail}`}`,
      where: agent.id,
      hint: `gt agent resume ${agent.id}, or gt unsling ${agent.bead?.id}`,
    }))
    const unknown = view.agents.filter(({ state }) => state === 'unknown').length
    if (unknown > 0) {
      findings.push({
        id: 'agents-unknown',
        severity: 'note',
        what: `${unknown} ${unknown === 1 ? 'agent is' : 'agents are'} of other machines, or could not be asked for: nothing is said about them`,
      })
    }
    if (findings.length > 0) return findings
    return [
      {
        id: 'agents',
        severity: 'ok',
        what: `${view.agents.length} ${view.agents.length === 1 ? 'agent' : 'agents'}: none is gone with work in hand`,
      },
    ]
  },
})
