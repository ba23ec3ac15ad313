import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentId } from '../../domain/ids.js'
import type { ProcessRef } from '../../system/process-table.js'
import type { OpencodePlaces } from './places.js'
import { listPrivate, readPrivate, removePrivate, writePrivate } from './private-file.js'

/**
 * Which server session is an agent's. Derived: the server's own metadata of the session says the same, and it is made again
 * from there when it is lost (`recoverSessions`).
 */
export interface SessionRecord {
  formatVersion: 1
  agent: AgentId
  server: number
  generation: number
  directory: string
  /** opencode itself, absolute: what shows the session to a person. */
  program: string
  startedAt: string
  /** Absent while it is being made. */
  sessionId?: string
  /** `GT_SESSION=…`, which everything that its tools start has in the environment. */
  mark?: string
  /** Passed with every prompt: a server session does not remember it. */
  agentName?: string
  model?: string
  /** Longest text that it is sent. */
  maxBytes: number
  /** Of the first prompt, until it is known to have arrived. */
  awaiting?: string
  /** The process that starts it, until then. */
  starter?: ProcessRef
}

export interface SessionRecords {
  list(): SessionRecord[]
  find(agent: AgentId): SessionRecord | undefined
  write(record: SessionRecord): void
  forget(agent: AgentId): void
  /** False when the folder was never filled, or was deleted. */
  isWhole(): boolean
  markWhole(): void
}

/** "+" is not part of any agent id. */
export function createSessionRecords(places: OpencodePlaces): SessionRecords {
  const fileOf = (agent: AgentId) => join(places.sessions, `${agent.replaceAll('/', '+')}.json`)
  const wholeMark = join(places.sessions, 'whole')
  return {
    list: () => listPrivate(places.sessions).flatMap((path) => asSession(readPrivate(path)) ?? []),
    find: (agent) => asSession(readPrivate(fileOf(agent))),
    write: (record) => writePrivate(fileOf(record.agent), record),
    forget: (agent) => removePrivate(fileOf(agent)),
    isWhole() {
      try {
        return readdirSync(places.sessions).includes('whole')
      } catch {
        return false
      }
    },
    markWhole: () => writePrivate(wholeMark, {}),
  }
}

function asSession(value: Record<string, unknown> | undefined): SessionRecord | undefined {
  const isSession =
    typeof value?.agent === 'string' &&
    typeof value.server === 'number' &&
    typeof value.generation === 'number' &&
    typeof value.directory === 'string' &&
    typeof value.program === 'string'
  // Written by `write` alone; these are the keys that the rest stands on.
  return isSession ? (value as unknown as SessionRecord) : undefined
}

/** Anything else could be a path. */
export function isAgentId(agent: string): boolean {
  return /^[a-z0-9][a-z0-9-]*(\/[a-z0-9][a-z0-9-]*)?$/.test(agent)
}
