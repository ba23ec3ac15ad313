import type { Entity, Fields, Json } from './record.js'

/**
 * What the models cost. An account is one entity per session of gt and day (UTC): its rows add up the answers of the
 * model by bead, model and what started the turn. Accounts are registers, so they survive the age of events.
 */

/** `work`: a prompt of gt's or of a person. `mail`: mail, or another agent's nudge. `reminder`: gt's own reminder. */
export const TRIGGERS = ['work', 'mail', 'reminder'] as const
export type Trigger = (typeof TRIGGERS)[number]

/** One answer of a model, as the plugin reports it. */
export interface UsageMessage {
  id: string
  /** The program's own conversation: the agent's or a subagent's. */
  conversation: string
  doneAtMs: number
  model: string
  trigger: Trigger
  tokens: TokenCounts
  costUsd: number
}

export interface TokenCounts {
  input: number
  output: number
  reasoning: number
  cacheRead: number
  cacheWrite: number
}

export interface UsageRow extends TokenCounts {
  bead: string
  model: string
  trigger: Trigger
  costUsd: number
  messages: number
}

export interface UsageAccount {
  id: string
  generation: number
  agent: string
  role: string
  rig: string
  session: string
  /** `2026-11-21`, UTC. */
  day: string
  rows: UsageRow[]
}

/** What of each conversation has been counted: `<ms>:<message>` of its newest answer, and of those forgotten. */
export interface CountedMarks {
  floor: string
  upTo: Record<string, string>
}

export function usageAccountId(sessionKey: string, day: string): string {
  return `u-${sessionKey}-${day}`
}

export function usageAccountFrom(entity: Entity): UsageAccount {
  const word = (field: string) => {
    const value = entity.fields[field]
    return typeof value === 'string' ? value : ''
  }
  return {
    id: entity.id,
    generation: entity.generation,
    agent: word('agent'),
    role: word('role'),
    rig: word('rig'),
    session: word('session'),
    day: word('day'),
    rows: rowsFrom(entity.fields.rows),
  }
}

function rowsFrom(value: Json | undefined): UsageRow[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((row) => {
    if (!Array.isArray(row)) return []
    const [bead, model, trigger, input, output, reasoning, cacheRead, cacheWrite, cost, messages] = row
    return [
      {
        bead: String(bead ?? ''),
        model: String(model ?? ''),
        trigger: triggerFrom(trigger),
        input: count(input),
        output: count(output),
        reasoning: count(reasoning),
        cacheRead: count(cacheRead),
        cacheWrite: count(cacheWrite),
        costUsd: count(cost),
        messages: count(messages),
      },
    ]
  })
}

/** As the store keeps them: a list for each row is a third of the size of an object. */
export function rowsToJson(rows: readonly UsageRow[]): Json {
  return rows.map((row) => [
    row.bead,
    row.model,
    row.trigger,
    row.input,
    row.output,
    row.reasoning,
    row.cacheRead,
    row.cacheWrite,
    row.costUsd,
    row.messages,
  ])
}

/** @returns the rows with the messages added to them; the rows given stay as they are */
export function addToRows(
  rows: readonly UsageRow[],
  bead: string,
  messages: readonly UsageMessage[],
): UsageRow[] {
  const sums = rows.map((row) => ({ ...row }))
  for (const message of messages) {
    const { model, trigger } = message
    let row = sums.find((one) => one.bead === bead && one.model === model && one.trigger === trigger)
    if (row === undefined) {
      row = { bead, model, trigger, ...NO_TOKENS, costUsd: 0, messages: 0 }
      sums.push(row)
    }
    for (const kind of TOKEN_KINDS) row[kind] += message.tokens[kind]
    row.costUsd = money(row.costUsd + message.costUsd)
    row.messages += 1
  }
  return sums
}

export const TOKEN_KINDS = ['input', 'output', 'reasoning', 'cacheRead', 'cacheWrite'] as const
export const NO_TOKENS: TokenCounts = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0 }

export function tokenSum(tokens: TokenCounts): number {
  return TOKEN_KINDS.reduce((sum, kind) => sum + tokens[kind], 0)
}

/** Sums of binary fractions grow tails; a billionth of a dollar is below every price. */
export function money(dollars: number): number {
  return Math.round(dollars * 1e9) / 1e9
}

/**
 * Which of the reported messages are new. Answers of one conversation come one after another, so its newest counted one
 * says it; of conversations that were forgotten (subagents, long ago) the newest of all does.
 * @returns the new ones, and the marks to keep with them
 */
export function takeUncounted(
  marks: CountedMarks,
  messages: readonly UsageMessage[],
): { fresh: UsageMessage[]; marks: CountedMarks } {
  const upTo = { ...marks.upTo }
  const fresh: UsageMessage[] = []
  for (const message of [...messages].sort((a, b) => (markOf(a) < markOf(b) ? -1 : 1))) {
    const counted = Object.hasOwn(upTo, message.conversation) ? upTo[message.conversation] : marks.floor
    if (markOf(message) <= (counted ?? '')) continue
    upTo[message.conversation] = markOf(message)
    fresh.push(message)
  }
  return { fresh, marks: forgetOldest({ floor: marks.floor, upTo }) }
}

/** Conversations that one session of gt keeps apart: its own, and its newest subagents. */
const MAX_MARKS = 40

function forgetOldest({ floor, upTo }: CountedMarks): CountedMarks {
  const newest = Object.entries(upTo).sort(([, a], [, b]) => (a > b ? -1 : 1))
  const forgotten = newest.slice(MAX_MARKS).map(([, mark]) => mark)
  return {
    floor: [floor, ...forgotten].reduce((a, b) => (a > b ? a : b)),
    upTo: Object.fromEntries(newest.slice(0, MAX_MARKS)),
  }
}

/** What an agent's sessions counted one after another: a conversation that is taken up again goes on where it was. */
export function joinMarks(all: readonly CountedMarks[]): CountedMarks {
  const upTo: Record<string, string> = {}
  for (const marks of all) {
    for (const [conversation, mark] of Object.entries(marks.upTo))
      if (mark > (upTo[conversation] ?? '')) upTo[conversation] = mark
  }
  const floor =
    all
      .map((marks) => marks.floor)
      .sort()
      .at(-1) ?? ''
  return forgetOldest({ floor, upTo })
}

function markOf({ doneAtMs, id }: UsageMessage): string {
  return `${String(doneAtMs).padStart(15, '0')}:${id}`
}

export function marksFrom(value: Json | undefined): CountedMarks {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { floor: '', upTo: {} }
  const { floor, upTo } = value
  const kept = typeof upTo === 'object' && upTo !== null && !Array.isArray(upTo) ? upTo : {}
  return {
    floor: typeof floor === 'string' ? floor : '',
    upTo: Object.fromEntries(
      Object.entries(kept).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    ),
  }
}

/** Reads what a plugin reported; what is not a message of this shape is left out. */
export function usageMessages(data: Fields): UsageMessage[] {
  if (!Array.isArray(data.messages)) return []
  return data.messages.flatMap((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
    const { id, in: conversation, done, model, trigger, tokens, cost } = value
    if (typeof id !== 'string' || typeof conversation !== 'string' || count(done) === 0) return []
    const [input, output, reasoning, cacheRead, cacheWrite] = Array.isArray(tokens) ? tokens.map(count) : []
    return [
      {
        id,
        conversation,
        doneAtMs: count(done),
        model: typeof model === 'string' ? model.slice(0, 100) : '',
        trigger: triggerFrom(trigger),
        tokens: {
          input: input ?? 0,
          output: output ?? 0,
          reasoning: reasoning ?? 0,
          cacheRead: cacheRead ?? 0,
          cacheWrite: cacheWrite ?? 0,
        },
        costUsd: count(cost),
      },
    ]
  })
}

function triggerFrom(value: Json | undefined): Trigger {
  return TRIGGERS.find((trigger) => trigger === value) ?? 'work'
}

/** A plugin may report anything; a sum must stay one. */
function count(value: Json | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}
