import type { ListedBead } from '../app/list-beads.js'
import type { Bead } from '../domain/bead.js'
import { plain, plainLines, table } from './table.js'

export function beadRows(beads: readonly ListedBead[]): string[] {
  return table(
    beads.map((bead) => [
      bead.shownId,
      bead.status === 'open' && bead.openBlockers.length > 0 ? 'blocked' : bead.status,
      `P${bead.priority}`,
      // Imported names may hold anything.
      plain(bead.assignee ?? '-', 60),
      plain(bead.title, 90),
    ]),
    ['BEAD', 'STATUS', 'PRIO', 'AGENT', 'TITLE'],
  )
}

export function beadText(
  bead: Bead,
  comments: readonly { at: string; by: string; text: string }[],
  blockers: readonly string[],
  more: readonly string[] = [],
): string[] {
  const lines = [
    `${bead.shownId}  ${plain(bead.title, 500)}`,
    `  status ${bead.status}${bead.assignee === undefined ? '' : ` · ${plain(bead.assignee)}`} · P${bead.priority} · ${plain(bead.type)}${bead.strict ? ' · strict' : ''}${bead.rig === undefined ? '' : ` · rig ${plain(bead.rig)}`}`,
  ]
  if (bead.labels.length > 0) lines.push(`  labels ${bead.labels.map((label) => plain(label)).join(', ')}`)
  if (blockers.length > 0) lines.push(`  waits for ${blockers.map((id) => plain(id)).join(', ')}`)
  if (bead.deferUntil !== undefined) lines.push(`  set aside until ${plain(bead.deferUntil)}`)
  if (bead.dueAt !== undefined) lines.push(`  due ${plain(bead.dueAt)}`)
  lines.push(...more)
  if (bead.mergedAs !== undefined) lines.push(`  merged as ${bead.mergedAs}`)
  else if (bead.closeReason !== undefined && bead.status === 'closed')
    lines.push(`  closed: ${plain(bead.closeReason, 300)}`)
  lines.push(
    `  made ${bead.createdAt} by ${plain(bead.createdBy)} · changed ${bead.updatedAt} · generation ${bead.generation}`,
  )
  if (bead.description !== '') lines.push('', plainLines(bead.description))
  for (const comment of comments)
    lines.push('', `${plain(comment.by)}, ${comment.at}:`, plainLines(comment.text))
  return lines
}

/** JSON keeps the words of the outside world: snake_case, ids as shown plus the key. */
export function beadJson(bead: Bead, openBlockers?: readonly string[]) {
  return {
    id: bead.shownId,
    key: bead.id,
    title: bead.title,
    description: bead.description,
    status: bead.status,
    ...(openBlockers === undefined
      ? {}
      : { blocked: bead.status === 'open' && openBlockers.length > 0, open_blockers: openBlockers }),
    priority: bead.priority,
    issue_type: bead.type,
    assignee: bead.assignee ?? null,
    rig: bead.rig ?? null,
    ...(bead.strict ? { strict: true } : {}),
    labels: bead.labels,
    blocked_by: bead.blockedBy,
    deps: bead.deps,
    defer_until: bead.deferUntil ?? null,
    due_at: bead.dueAt ?? null,
    merged_as: bead.mergedAs ?? null,
    close_reason: bead.closeReason ?? null,
    comments: bead.commentCount,
    created_at: bead.createdAt,
    created_by: bead.createdBy,
    updated_at: bead.updatedAt,
    generation: bead.generation,
  }
}
