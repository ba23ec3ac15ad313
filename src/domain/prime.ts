import type { Agent } from './agent.js'
import type { Bead } from './bead.js'
import { printable } from './ids.js'
import type { Mail } from './mail.js'
import type { Merge } from './merge.js'

export interface PrimeMaterial {
  agent: Agent
  roleText: string
  bead?: Bead
  blockers: readonly Bead[]
  comments: readonly { at: string; by: string; text: string }[]
  unread: readonly Mail[]
  lastMerge?: Merge
  target: string
  /** After compaction the model has lost details, but not the purpose: say so. */
  compacted: boolean
}

/**
 * Text that an agent's model gets at the start of a session and after compaction.
 * What matters most comes first and is never cut: identity, bead, rules, next commands. Free text is cut to fit.
 * @param limitBytes - of UTF-8
 */
export function composePrime(material: PrimeMaterial, limitBytes: number): string {
  // Free text gets less and less room until the whole fits; the frame itself is far below the limit.
  for (const room of [3_000, 2_000, 1_200, 600, 200, 0]) {
    const text = compose(material, room)
    if (byteLength(text) <= limitBytes) return text
  }
  // A role of the user's own may be longer than all the rest together: the commands at the end are not cut for it.
  const frame = byteLength(compose({ ...material, roleText: '' }, 0))
  const roleText = clip(material.roleText.trim(), Math.max(0, limitBytes - frame - 2))
  return clip(compose({ ...material, roleText }, 0), limitBytes)
}

function compose(material: PrimeMaterial, room: number): string {
  const { agent, bead } = material
  const parts = [
    `# gt: you are ${agent.id} (${agent.role})`,
    material.compacted
      ? 'Your conversation was compacted. This is your context again; go on where you were.'
      : '',
    workSection(material, room),
    handoffSection(agent, room),
    mergeSection(material, room),
    mailSection(material.unread, room),
    material.roleText.trim(),
    nextCommands(bead, material),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** Enough to know what to look at; `gt bead show` names all. */
const MAX_BLOCKERS = 5

function workSection({ agent, bead, blockers, comments, target }: PrimeMaterial, room: number): string {
  if (!bead) return '## Your hook is empty\nThere is no work for you now. Check mail; otherwise stop.'
  const lines = [`## Your bead: ${bead.shownId} · ${clip(bead.title, 300)}`]
  lines.push(
    `status ${bead.status} · priority ${bead.priority} · branch ${agent.branch ?? '?'} (lands on ${target})`,
  )
  if (bead.description !== '') lines.push('', clip(bead.description, room, `gt bead show ${bead.shownId}`))
  if (blockers.length > 0) {
    const more = blockers.length > MAX_BLOCKERS ? ` and ${blockers.length - MAX_BLOCKERS} more` : ''
    const first = blockers.slice(0, MAX_BLOCKERS).map((blocker) => blocker.shownId)
    lines.push('', `Waits for: ${first.join(', ')}${more}`)
  }
  const recent = comments.slice(-3)
  if (recent.length > 0) {
    lines.push('', 'Comments:')
    for (const comment of recent)
      lines.push(`- ${printable(comment.by)}: ${clip(comment.text, Math.floor(room / 5), 'gt bead show')}`)
  }
  return lines.join('\n')
}

function handoffSection(agent: Agent, room: number): string {
  if (agent.handoff === undefined || agent.handoff === '') return ''
  return `## Note from your last session\n${clip(agent.handoff, Math.floor(room / 2))}`
}

function mergeSection({ lastMerge, bead }: PrimeMaterial, room: number): string {
  if (!lastMerge || !bead) return ''
  if (lastMerge.status === 'returned') {
    const evidence = clip(lastMerge.evidence ?? '', Math.floor(room / 2), `gt mq show ${lastMerge.shownId}`)
    return `## The merge queue sent your work back: ${clip(lastMerge.reason ?? '', 300)}\n${evidence}`
  }
  if (bead.status === 'in_review')
    return '## Your commits are in the merge queue. There is nothing to do until you hear from it.'
  return ''
}

function mailSection(unread: readonly Mail[], room: number): string {
  if (unread.length === 0) return ''
  const lines = unread
    .slice(0, 5)
    .map(
      (mail) => `- ${mail.shownId} from ${printable(mail.from)}: ${clip(mail.subject, Math.min(120, room))}`,
    )
  if (unread.length > 5) lines.push(`- and ${unread.length - 5} more`)
  return `## Unread mail (${unread.length}): read it with \`gt mail check\`\n${lines.join('\n')}`
}

function nextCommands(bead: Bead | undefined, { agent }: PrimeMaterial): string {
  const lines = ['## Commands']
  if (bead) {
    lines.push(
      `- \`gt bead show ${bead.shownId}\` the whole bead; \`gt bead comment ${bead.shownId} "text"\` to leave a note on it`,
    )
    lines.push('- `gt done` when everything is committed and works')
  }
  lines.push(
    '- `gt mail check` · `gt mail send <agent|human> "subject" -m "text"` · `gt mail reply <id> -m "text"`',
  )
  lines.push(`- \`gt prime\` shows this again; you are ${agent.id}`)
  return lines.join('\n')
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function byteLength(text: string): number {
  return encoder.encode(text).length
}

/** At most `bytes` of UTF-8, cut at a character, saying that it was cut and where the rest is. */
export function clip(text: string, bytes: number, more?: string): string {
  const encoded = encoder.encode(text)
  if (encoded.length <= bytes) return text
  const note = more === undefined ? '…' : `… (cut; all of it: \`${more}\`)`
  const room = Math.max(0, bytes - encoder.encode(note).length)
  // A cut inside a character leaves replacement characters at the end.
  return decoder.decode(encoded.subarray(0, room)).replace(/\uFFFD+$/, '') + note
}
