import type { Agent } from '../domain/agent.js'
import { composePrime } from '../domain/prime.js'
import { findBead, findLastMerge } from './find-entity.js'
import { openBlockers } from './list-beads.js'
import { waitingMail } from './send-mail.js'
import type { Town } from './town.js'

export interface Primed {
  agent: string
  role: string
  rig?: string
  bead?: { id: string; title: string; status: string; description: string }
  branch?: string
  unreadMail: { id: string; from: string; subject: string }[]
  handoff?: string
  /** What goes into the model's context. */
  text: string
}

/** Reads only; repeatable. Kept free of git, tmux and the TOML parser: it runs at the start of every session. */
export function primeAgent(town: Town, agent: Agent, options: { compacted?: boolean } = {}): Primed {
  const view = town.ledger.read()
  const bead = findBead(view, agent.hook)
  const unread = waitingMail(town, view, agent.id, town.env.GT_SESSION ?? '')
  const role = town.config.roles[agent.role]
  const lastMerge = bead === undefined ? undefined : findLastMerge(view, bead.id)
  const text = composePrime(
    {
      agent,
      roleText: role?.template ?? '',
      ...(bead === undefined ? {} : { bead }),
      blockers:
        bead === undefined ? [] : openBlockers(view, bead).flatMap((key) => findBead(view, key) ?? []),
      comments: bead === undefined ? [] : view.comments(bead.id),
      unread,
      ...(lastMerge === undefined ? {} : { lastMerge }),
      target: town.config.rigs[agent.rig ?? '']?.branch ?? 'the target branch',
      compacted: options.compacted === true,
    },
    town.config.limits.primeBytes,
  )
  return {
    agent: agent.id,
    role: agent.role,
    ...(agent.rig === undefined ? {} : { rig: agent.rig }),
    ...(bead === undefined
      ? {}
      : {
          bead: { id: bead.shownId, title: bead.title, status: bead.status, description: bead.description },
        }),
    ...(agent.branch === undefined ? {} : { branch: agent.branch }),
    unreadMail: unread.map((mail) => ({ id: mail.shownId, from: mail.from, subject: mail.subject })),
    ...(agent.handoff === undefined ? {} : { handoff: agent.handoff }),
    text,
  }
}
