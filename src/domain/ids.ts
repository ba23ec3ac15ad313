import { UsageError } from './errors.js'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** `proj-4k7q2`, or any id that the user gave. */
export type BeadId = Branded<'BeadId'>
/** `proj/toast`. */
export type AgentId = Branded<'AgentId'>
export type RigName = Branded<'RigName'>
/** tmux's own `%3`. */
export type PaneId = Branded<'PaneId'>

/** The person at the keyboard, as a sender and recipient of mail. */
export const HUMAN = 'human' as AgentId

const BEAD_ID = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/

/** One line, with control characters made visible, so that a hostile id cannot forge output. */
export function printable(text: string, maxLength = 60): string {
  const visible = text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return visible.length > maxLength ? `${visible.slice(0, maxLength)}…` : visible
}

/**
 * Ids end up in branch names, paths and shell lines of other tools, so they are plain words.
 * @throws UsageError code `bad-bead-id`
 */
export function beadId(text: string): BeadId {
  if (BEAD_ID.test(text) && !text.includes('..') && !text.endsWith('.lock')) return text as BeadId
  throw new UsageError(`"${printable(text)}" cannot be a bead id`, {
    code: 'bad-bead-id',
    hint: 'use 1 to 64 letters, digits, ".", "_" or "-", starting and ending with a letter or digit, like issue-123',
    details: { id: printable(text) },
  })
}

export function rigName(text: string): RigName {
  return plainName(text, 'rig name', 'bad-rig-name') as RigName
}

/** The part after the slash. */
export function agentName(text: string): string {
  return plainName(text, 'agent name', 'bad-agent-name')
}

function plainName(text: string, what: string, code: string): string {
  if (NAME.test(text)) return text
  throw new UsageError(`"${printable(text)}" cannot be a ${what}`, {
    code,
    hint: 'use 1 to 32 lower-case letters, digits or "-", starting and ending with a letter or digit',
    details: { name: printable(text) },
  })
}

export function agentId(rig: string, name: string): AgentId {
  return `${rigName(rig)}/${agentName(name)}` as AgentId
}

/** Splits `proj/toast`; the rig is undefined for town-level names. */
export function splitAgentId(id: AgentId): { rig?: RigName; name: string } {
  const slash = id.indexOf('/')
  if (slash < 0) return { name: id }
  return { rig: id.slice(0, slash) as RigName, name: id.slice(slash + 1) }
}

/** Branch an agent works on: `gt/toast/issue-123`. The shown id is enough: an agent has one bead at a time. */
export function branchName(agent: AgentId, bead: string): string {
  return `gt/${splitAgentId(agent).name}/${bead}`
}

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * @param randomBytes - at least `length` bytes
 * @returns `length` characters of Crockford base32 (no i, l, o, u)
 */
export function randomId(randomBytes: Uint8Array, length: number): string {
  let id = ''
  for (let i = 0; i < length; i++) id += BASE32[(randomBytes[i] ?? 0) & 31]
  return id
}

/** The nearest known name by edit distance, when it is near enough to be a typing mistake. */
export function nearest(typed: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(typed.length / 3)) + 1
  for (const name of known) {
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    previous = row
  }
  return previous[b.length] ?? limit
}
