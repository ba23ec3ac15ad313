import type { TownView } from '../app/town-view.js'
import { agentRows } from './agent-text.js'
import { askRows } from './ask-text.js'
import { convoyLine } from './convoy-text.js'
import { poolLine } from './pool-text.js'
import { plain } from './table.js'

export function statusText(view: TownView, unicode: boolean): string[] {
  const { beads } = view
  // Who holds a bead is shown in every state: stopped with work left is what a person must see.
  const live = view.agents.filter(
    (agent) => agent.bead !== undefined || !['done', 'stopped'].includes(agent.state),
  )
  return [
    `${view.name}  ${view.root}`,
    `beads: ${beads.ready} ready, ${beads.open} open, ${beads.hooked} hooked, ${beads.inReview} in the merge queue, ${beads.closed} closed`,
    ...(view.asks.length === 0
      ? []
      : ['', 'waits for you (gt answer ASK …):', ...askRows(view.asks, Date.parse(view.at)), '']),
    ...(view.unreadForHuman === 0 ? [] : [`mail for you: ${view.unreadForHuman} unread (gt mail inbox)`]),
    ...(view.sync === undefined
      ? []
      : [`synced: ${view.sync.lastOkAt ?? 'never'} with ${plain(view.sync.remote, 200)}`]),
    ...(live.length === 0
      ? ['agents: none at work']
      : ['', ...agentRows({ ...view, agents: live }, unicode)]),
    ...(view.convoys.length === 0 ? [] : ['', ...view.convoys.map(convoyLine)]),
    ...(view.pools.length === 0 ? [] : ['', ...view.pools.map(poolLine)]),
    ...(view.queue.length === 0
      ? []
      : [
          '',
          'merge queue:',
          ...view.queue.map(
            (merge) =>
              `  ${merge.shownId}  ${merge.status}  ${merge.bead} from ${merge.agent}${merge.reason === undefined ? '' : `: ${plain(merge.reason, 160)}`}`,
          ),
        ]),
    ...(view.problems.length === 0
      ? []
      : ['', 'problems:', ...view.problems.map((problem) => `  ! ${plain(problem, 300)}`)]),
  ]
}
