import type { Message, Part } from '@opencode-ai/sdk/v2/client'
import type { AgentId } from '../../domain/ids.js'
import { readMessages } from './give-prompt.js'
import { observeSession } from './observe-sessions.js'
import { readConversation, TRANSCRIPT_MESSAGES } from './read-transcript.js'
import { type ServerEvent, serverEvents, sessionOfEvent } from './server-events.js'
import type { ServerRecord } from './server-record.js'
import type { SessionRecord } from './session-record.js'
import type { SpawnDeps } from './spawn-session.js'
import { errorLines, partLines, type TranscriptMessage } from './transcript.js'

/** After a broken connection, while the server lives. */
const RECONNECT_MS = 200

/**
 * The last `count` lines of a conversation, then each as it is said: from the server's stream of events, with the
 * conversation read again after every (re)connection, so that nothing is lost and nothing comes twice.
 */
export async function* followSession(
  deps: SpawnDeps,
  agent: AgentId,
  options: { count: number; signal: AbortSignal },
): AsyncGenerator<string> {
  const { signal } = options
  const teller = createTeller()
  let isFirst = true
  for (;;) {
    const record = deps.sessions.find(agent)
    if (record?.sessionId === undefined || signal.aborted) return
    const server = deps.pool.records.find(record.server)
    const observed = await observeSession(deps, record)
    if (server === undefined || observed.liveness.kind === 'stopped') {
      const lines = teller.tellAll(await readConversation(deps, record).catch(() => []))
      yield* isFirst ? lines.slice(-options.count) : [...lines, ...teller.tellRest()]
      return
    }
    try {
      const { sessionId } = record
      const readAll = async () => teller.tellAll(await readMessages(server, sessionId, TRANSCRIPT_MESSAGES))
      for await (const event of eventsAndLooks(server, signal)) {
        if (event === 'look' || event.type === 'server.heartbeat') yield* await readAll()
        if (event === 'look') continue
        if (event.type === 'server.connected') {
          const lines = await readAll()
          yield* isFirst ? lines.slice(-options.count) : lines
          isFirst = false
        } else if (sessionOfEvent(event) === sessionId) {
          if (teller.hasMissed(event)) yield* await readAll()
          yield* teller.tell(event)
        }
        if (isOver(event, record, deps)) return
      }
    } catch {
      // The server does not answer: the loop asks what became of it.
    }
    if (signal.aborted) return
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
  }
}

/**
 * A stream says that it is connected a moment before it tells everything (seen with 1.18.33): what happens in between is found
 * by looking again.
 */
const SECOND_LOOKS_MS = [150, 1_000]

async function* eventsAndLooks(
  server: ServerRecord,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent | 'look'> {
  const over = new AbortController()
  const events = serverEvents(server, AbortSignal.any([signal, over.signal]))
  const looks = SECOND_LOOKS_MS.map((ms) => performance.now() + ms)
  let next = events.next()
  try {
    for (;;) {
      const [due] = looks
      const won =
        due === undefined
          ? await next
          : await Promise.race([next, pause(Math.max(0, due - performance.now()))])
      if (won === 'time') {
        looks.shift()
        yield 'look'
        continue
      }
      if (won.done === true) return
      next = events.next()
      yield won.value
    }
  } finally {
    // Ends the answer that is being waited for.
    over.abort()
    await next.catch(() => undefined)
  }
}

function pause(ms: number): Promise<'time'> {
  return new Promise((resolve) => setTimeout(() => resolve('time'), ms))
}

/** Its agent was stopped, which the session's metadata says; or, now and then, the registry. */
function isOver(event: ServerEvent, record: SessionRecord, deps: SpawnDeps): boolean {
  const isSign =
    event.type === 'server.heartbeat' ||
    event.type === 'session.deleted' ||
    (event.type === 'session.updated' && hasEnded(event)) ||
    (event.type === 'server.instance.disposed' && event.directory === record.directory)
  if (!isSign) return false
  const isEnd = event.type === 'session.updated' && sessionOfEvent(event) === record.sessionId
  return isEnd || deps.sessions.find(record.agent)?.sessionId !== record.sessionId
}

function hasEnded(event: ServerEvent): boolean {
  const { info } = event.properties as { info?: { metadata?: { gt?: { ended?: unknown } } } }
  return info?.metadata?.gt?.ended !== undefined
}

function isRunning(part: object): boolean {
  const { state } = part as { state?: { status?: string } }
  return state?.status === 'running' || state?.status === 'pending'
}

interface Teller {
  /** Lines that were not told yet, of a conversation as it stands. */
  tellAll(messages: readonly TranscriptMessage[]): string[]
  /** Whether an event speaks of a new message although, as far as is known, a tool of an older one still runs. */
  hasMissed(event: ServerEvent): boolean
  /** Lines that an event adds. */
  tell(event: ServerEvent): string[]
  /** The last, unfinished lines of what will not go on. */
  tellRest(): string[]
}

interface Told {
  part: Part
  /** Grows with each delta while the part is open: the server stores it only at its end. */
  text: string
  isOpen: boolean
  count: number
}

/** Remembers of each part how many of its lines were told; a part's lines are only ever added to. */
function createTeller(): Teller {
  const parts = new Map<string, Told>()
  const roles = new Map<string, Message['role']>()
  const failed = new Set<string>()

  const tellPart = (told: Told): string[] => {
    const role = roles.get(told.part.messageID) ?? 'assistant'
    const lines = told.isOpen ? partLines(told.part, role, told.text) : partLines(told.part, role)
    const fresh = lines.slice(told.count)
    told.count = Math.max(told.count, lines.length)
    return fresh
  }
  const update = (part: Part): string[] => {
    const before = parts.get(part.id)
    const isText = part.type === 'text'
    const isOpen = isText && roles.get(part.messageID) !== 'user' && part.time?.end === undefined
    const stored = isText ? part.text : ''
    // Of an open part the server may know less than it told.
    const text = before !== undefined && before.text.length > stored.length ? before.text : stored
    const told = { part, text, isOpen, count: before?.count ?? 0 }
    parts.set(part.id, told)
    // What comes after an answer in a message says that it is whole, although the word about its end comes later.
    const rest = before === undefined ? closeOthers(part) : []
    return [...rest, ...tellPart(told)]
  }
  const closeOthers = (part: Part): string[] =>
    [...parts.values()]
      .filter((told) => told.isOpen && told.part.messageID === part.messageID && told.part.id !== part.id)
      .flatMap((told) => {
        told.part = { ...told.part, text: told.text } as Part
        told.isOpen = false
        return tellPart(told)
      })
  const fail = (info: Message): string[] => {
    const lines = errorLines(info)
    if (lines.length === 0 || failed.has(info.id)) return []
    failed.add(info.id)
    return lines
  }
  return {
    tellAll: (messages) =>
      messages.flatMap(({ info, parts: all }) => {
        roles.set(info.id, info.role)
        return [...all.flatMap(update), ...fail(info)]
      }),
    hasMissed(event) {
      const { info, part } = event.properties as { info?: Message; part?: Part }
      const id = part?.messageID ?? (event.type === 'message.updated' ? info?.id : undefined)
      if (id === undefined || roles.has(id)) return false
      return [...parts.values()].some(({ part: { type, ...rest } }) => type === 'tool' && isRunning(rest))
    },
    tell(event) {
      if (event.type === 'message.updated') {
        const { info } = event.properties as { info: Message }
        roles.set(info.id, info.role)
        return fail(info)
      }
      if (event.type === 'message.part.updated') return update((event.properties as { part: Part }).part)
      if (event.type !== 'message.part.delta') return []
      const { partID, field, delta } = event.properties as { partID: string; field: string; delta: string }
      const told = parts.get(partID)
      if (told?.part.type !== 'text' || field !== 'text') return []
      told.text += delta
      return tellPart(told)
    },
    tellRest: () =>
      [...parts.values()].flatMap((told) => {
        if (!told.isOpen || told.part.type !== 'text') return []
        return partLines({ ...told.part, text: told.text }, 'assistant').slice(told.count)
      }),
  }
}
