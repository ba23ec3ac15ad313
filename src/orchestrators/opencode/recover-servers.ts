import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { environmentOf } from '../../system/end-marked.js'
import { type ProcessEntry, snapshotProcesses } from '../../system/process-table.js'
import { SERVER_MARK } from './end-server.js'
import type { OpencodePlaces } from './places.js'
import type { ServerRecord, ServerRecords } from './server-record.js'
import { splitEnvironment, volatileNames } from './split-environment.js'

/**
 * Servers of this town that run although no file says so (the folder was deleted): each names the town, its number and its
 * password in its own environment, which only its owner can read.
 */
export function recoverServers(places: OpencodePlaces, records: ServerRecords): void {
  if (records.list().length > 0) return
  for (const entry of snapshotProcesses()) {
    const server = serverOf(entry, places)
    if (server !== undefined) records.write(server)
  }
}

function serverOf(entry: ProcessEntry, places: OpencodePlaces): ServerRecord | undefined {
  const env = environmentMap(entry)
  const password = env.OPENCODE_SERVER_PASSWORD ?? ''
  // What its tools inherit of these is empty.
  if (env.GT_OPENCODE_CARDS !== places.cards || password === '') return undefined
  const argv = argvOf(entry.pid)
  const port = Number(argv[argv.indexOf('--port') + 1])
  const [n, generation] = (env[SERVER_MARK] ?? '').split('.').map(Number)
  if (argv[1] !== 'serve' || !Number.isInteger(port) || !n || !generation) return undefined
  return {
    formatVersion: 1,
    n,
    url: `http://127.0.0.1:${port}`,
    port,
    username: env.OPENCODE_SERVER_USERNAME ?? 'opencode',
    password,
    mark: env[SERVER_MARK] ?? '',
    generation,
    fingerprint: fingerprintOf(argv[0] ?? '', withoutOurs(env)),
    volatileNames: volatileNames(env),
    // Whether it is healthy is asked before it is used.
    state: 'starting',
    external: false,
    startedAt: '',
    pid: entry.pid,
    startTime: entry.startTime,
  }
}

/** Of the program and the environment that its sessions share. */
export function fingerprintOf(program: string, env: Readonly<Record<string, string>>): string {
  return `${basename(program)}-${splitEnvironment(env).fingerprint}`
}

/** Of a live process: the program and the environment that it was given, without what was added for the server. */
export function readOwn(pid: number): { program: string; env: Record<string, string> } | undefined {
  const [program] = argvOf(pid)
  const env = withoutOurs(environmentMap({ pid, parentPid: 0, startTime: '' }))
  return program === undefined || program === '' || Object.keys(env).length === 0
    ? undefined
    : { program, env }
}

const OURS = ['OPENCODE_CONFIG_DIR', 'OPENCODE_DB', 'OPENCODE_SERVER_USERNAME', 'OPENCODE_SERVER_PASSWORD']

function withoutOurs(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !OURS.includes(name) && !name.startsWith('GT_')),
  )
}

function environmentMap(entry: ProcessEntry): Record<string, string> {
  return Object.fromEntries(
    environmentOf(entry).flatMap((text) => {
      const at = text.indexOf('=')
      return at <= 0 ? [] : [[text.slice(0, at), text.slice(at + 1)]]
    }),
  )
}

function argvOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  } catch {
    return []
  }
}
