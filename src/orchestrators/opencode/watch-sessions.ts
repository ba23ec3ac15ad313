import { existsSync, mkdirSync, watch } from 'node:fs'
import type { AgentId } from '../../domain/ids.js'
import type { Activity, ObservedSession, OrchestratorEvent } from '../../ports/orchestrator.js'
import { sessionChanges } from '../session-changes.js'
import { observeAll } from './observe-sessions.js'
import { type ServerEvent, serverEvents, sessionOfEvent } from './server-events.js'
import { isServerAlive, type ServerRecord } from './server-record.js'
import type { SpawnDeps } from './spawn-session.js'

/** After a broken connection: the process is looked at first, so this is for servers that live. */
const RECONNECT_MS = 300
const SECOND_LOOK_MS = 300
/** What no file and no server tells: a process that was killed while nobody was connected. */
const LOOK_EVERY_MS = 5_000

/**
 * Sessions that come, change and go: the registry's folder is watched, and one connection to each server tells what its
 * sessions do. Nothing is asked again as long as the servers tell. Ends with `backend-gone` when everything was shut down.
 */
export async function* watchSessions(
  deps: SpawnDeps,
  signal: AbortSignal,
): AsyncGenerator<OrchestratorEvent> {
  mkdirSync(deps.places.sessions, { recursive: true, mode: 0o700 })
  mkdirSync(deps.places.servers, { recursive: true, mode: 0o700 })
  const news = collectNews(signal)
  const streams = new Map<string, AbortController>()
  const watchers = [deps.places.sessions, deps.places.servers].map((dir) => {
    const watcher = watch(dir, news.stale)
    watcher.on('error', news.stale)
    return watcher
  })
  const timer = setInterval(news.stale, LOOK_EVERY_MS)
  const known = new Map<AgentId, string>()
  let sessions: ObservedSession[] = []
  try {
    news.stale()
    while (await news.next()) {
      if (!existsSync(deps.places.sessions)) {
        yield* sessionChanges(known, [])
        yield { kind: 'backend-gone', why: 'all OpenCode servers of the town were shut down' }
        return
      }
      const { events, isStale } = news.take()
      if (isStale) {
        // Connected first: what happens while the sessions are looked at is told by the stream.
        connect(deps, streams, news)
        sessions = await observeAll(deps, deps.sessions.list())
      }
      sessions = events.reduce((now, event) => now.map((session) => applyEvent(session, event)), sessions)
      yield* sessionChanges(known, sessions)
    }
  } finally {
    clearInterval(timer)
    for (const watcher of watchers) watcher.close()
    for (const stream of streams.values()) stream.abort()
    news.close()
  }
}

interface News {
  /** Everything has to be looked at again. */
  stale: () => void
  tell: (event: ServerEvent) => void
  /** @returns false when nobody listens any more */
  next(): Promise<boolean>
  take(): { events: ServerEvent[]; isStale: boolean }
  close(): void
}

function collectNews(signal: AbortSignal): News {
  let events: ServerEvent[] = []
  let isStale = false
  let wake: () => void = () => undefined
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort, { once: true })
  return {
    stale() {
      isStale = true
      wake()
    },
    tell(event) {
      events.push(event)
      wake()
    },
    async next() {
      if (!isStale && events.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return !signal.aborted
    },
    take() {
      const taken = { events, isStale }
      events = []
      isStale = false
      return taken
    },
    close: () => signal.removeEventListener('abort', onAbort),
  }
}

/** One stream for each start of each server that lives. */
function connect(deps: SpawnDeps, streams: Map<string, AbortController>, news: News): void {
  for (const server of deps.pool.records.list()) {
    const key = server.mark
    if (streams.has(key) || server.state === 'starting' || !(server.external || isServerAlive(server)))
      continue
    const over = new AbortController()
    streams.set(key, over)
    listen(server, news, over.signal).finally(() => {
      streams.delete(key)
      news.stale()
    })
  }
}

async function listen(server: ServerRecord, news: News, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of serverEvents(server, signal)) {
      // It tells everything only a moment later (seen with 1.18.33).
      if (event.type === 'server.connected') setTimeout(news.stale, SECOND_LOOK_MS)
      if (sessionOfEvent(event) !== undefined) news.tell(event)
    }
  } catch {
    // It does not answer: looked at again below.
  }
  if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
}

/** What an event of its server says about a session, without asking. */
function applyEvent(session: ObservedSession, event: ServerEvent): ObservedSession {
  if (session.conversation !== sessionOfEvent(event) || session.liveness.kind !== 'running') return session
  const activity = activityOf(event, session.activity)
  // To the second: a stream of words is not a stream of changes.
  const lastActivityAt = new Date(Math.floor(Date.now() / 1_000) * 1_000).toISOString()
  return { ...session, lastActivityAt, ...(activity === undefined ? {} : { activity }) }
}

function activityOf(event: ServerEvent, before: Activity | undefined): Activity | undefined {
  switch (event.type) {
    case 'session.idle':
      return { kind: 'idle' }
    case 'permission.asked':
      return { kind: 'asking', what: 'permission' }
    case 'question.asked':
      return { kind: 'asking', what: 'question' }
    case 'permission.replied':
    case 'question.replied':
    case 'question.rejected':
      return { kind: 'busy' }
    case 'session.status': {
      const { status } = event.properties as { status?: { type?: string; message?: string; next?: number } }
      if (status?.type === 'idle') return { kind: 'idle' }
      // A session that asks is busy for its server, step by step.
      if (status?.type === 'busy') return before?.kind === 'asking' ? before : { kind: 'busy' }
      if (status?.type !== 'retry') return before
      const at = status.next === undefined ? {} : { at: new Date(status.next).toISOString() }
      return { kind: 'retry', message: status.message ?? '', ...at }
    }
    default:
      return before
  }
}
