import { join } from 'node:path'
import { isAlive, type ProcessRef } from '../../system/process-table.js'
import type { OpencodePlaces } from './places.js'
import { listPrivate, readPrivate, removePrivate, writePrivate } from './private-file.js'

/**
 * One server of the pool, as its file says. Written before its process exists, so that a kill in between leaves a name
 * (`mark`, in the environment of the process) by which it is found again.
 */
export interface ServerRecord {
  formatVersion: 1
  n: number
  url: string
  port: number
  username: string
  password: string
  /** GT_OPENCODE_SERVER of the process, and of everything that it starts. */
  mark: string
  /** Counts its starts: a session runs only on the start that it was begun or resumed on. */
  generation: number
  /** Of the environment that all its sessions share; see `splitEnvironment`. */
  fingerprint: string
  /** Names of variables of its own that differ from shell to shell. */
  volatileNames: string[]
  /** `draining`: it gets no new session, and is started again once nothing works on it. */
  state: 'starting' | 'ready' | 'draining'
  /** Not ours: never stopped, never started again. */
  external: boolean
  /** The process that starts it again for its sessions, which go on: what it is doing is not known meanwhile. */
  recycler?: ProcessRef
  startedAt: string
  version?: string
  pid?: number
  startTime?: string
}

export interface ServerRecords {
  list(): ServerRecord[]
  find(n: number): ServerRecord | undefined
  write(record: ServerRecord): void
  forget(n: number): void
  logOf(n: number): string
}

export function createServerRecords(places: OpencodePlaces): ServerRecords {
  const fileOf = (n: number) => join(places.servers, `${n}.json`)
  return {
    list: () => listPrivate(places.servers).flatMap((path) => asServer(readPrivate(path)) ?? []),
    find: (n) => asServer(readPrivate(fileOf(n))),
    write: (record) => writePrivate(fileOf(record.n), record),
    forget: (n) => removePrivate(fileOf(n)),
    logOf: (n) => join(places.servers, `${n}.log`),
  }
}

function asServer(value: Record<string, unknown> | undefined): ServerRecord | undefined {
  const isServer =
    typeof value?.n === 'number' &&
    typeof value.url === 'string' &&
    typeof value.password === 'string' &&
    typeof value.mark === 'string' &&
    typeof value.generation === 'number'
  // Written by `write` alone; these are the keys that the rest stands on.
  return isServer ? (value as unknown as ServerRecord) : undefined
}

/** The proof that the process of the record is meant, and lives. */
export function isServerAlive(record: ServerRecord): boolean {
  return record.pid !== undefined && record.startTime !== undefined && isAlive(record.pid, record.startTime)
}

export function nameOfServer(record: Pick<ServerRecord, 'n' | 'port' | 'external' | 'url'>): string {
  return record.external
    ? `the OpenCode server ${record.url}`
    : `OpenCode server ${record.n} (port ${record.port})`
}
