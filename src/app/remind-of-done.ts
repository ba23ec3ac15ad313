import { agentFrom } from '../domain/agent.js'
import type { Bead } from '../domain/bead.js'
import { HUMAN } from '../domain/ids.js'
import { mailFrom } from '../domain/mail.js'
import type { View } from '../ports/ledger.js'
import { findBead, getRig } from './find-entity.js'
import type { Town } from './town.js'

/**
 * What an agent is told whose turn ended although its work is not handed in: its bead is still on its hook, and its branch
 * has commits or its tree has changes.
 * @returns undefined when there is nothing to remind of, also while the agent waits for a person's answer to its mail, and
 *   when git could not be asked (then `gt done` says why, when it is run)
 */
export async function remindOfDone(town: Town, owner: string): Promise<string | undefined> {
  const view = town.ledger.read()
  const entity = view.get(owner)
  if (entity?.kind !== 'agent') return undefined
  const agent = agentFrom(entity)
  const bead = findBead(view, agent.hook)
  const { worktree, rig } = agent
  if (bead?.status !== 'hooked' || bead.assignee !== agent.id) return undefined
  if (town.config.roles[agent.role]?.ends !== 'done' || worktree === undefined || rig === undefined)
    return undefined
  if (awaitsAPerson(view, agent.id)) return undefined
  try {
    const repositories = await town.repositories()
    return reminderText(bead, await repositories.worktreeState(getRig(town, rig), worktree, agent.base))
  } catch {
    return undefined
  }
}

/** Its newest mail to a person is not answered: it said what it needs, and waits. */
function awaitsAPerson(view: View, agent: string): boolean {
  const asked = view
    .list({ kind: 'mail', assignee: HUMAN })
    .map(mailFrom)
    .filter((mail) => mail.from === agent)
    .at(-1)
  if (asked === undefined) return false
  const answers = view.list({ kind: 'mail', assignee: agent }).map(mailFrom)
  return !answers.some((mail) => mail.from === HUMAN && mail.sentAt > asked.sentAt)
}

function reminderText(bead: Bead, state: { ahead: number; dirty: readonly string[] }): string | undefined {
  const commits = state.ahead === 1 ? '1 commit' : `${state.ahead} commits`
  const changes =
    state.dirty.length === 1 ? '1 uncommitted change' : `${state.dirty.length} uncommitted changes`
  const left = [...(state.ahead > 0 ? [commits] : []), ...(state.dirty.length > 0 ? [changes] : [])]
  if (left.length === 0) return undefined
  return [
    `[gt reminder] Your turn ended, but ${bead.shownId} is still on your hook: ${left.join(' and ')} not handed in.`,
    'If the work is complete: commit everything and run `gt done`. If it is not: go on.',
    'If you cannot go on: `gt mail send human "subject" -m "what you need"`, then stop.',
  ].join(' ')
}
