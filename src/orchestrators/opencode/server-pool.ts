import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { pid as ownPid } from 'node:process'
import { ExternalError, type GtError } from '../../domain/errors.js'
import type { Clock } from '../../ports/clock.js'
import { withFileLock } from '../../system/file-lock.js'
import { processStart } from '../../system/process-table.js'
import { endServer, residentBytes, SERVER_MARK } from './end-server.js'
import { askHealth, freePort, type Health, launchServer, untilHealthy } from './launch-server.js'
import type { OpencodePlaces } from './places.js'
import { readOwn, recoverServers } from './recover-servers.js'
import { answered, authorization, clientOf, within } from './server-client.js'
import {
  createServerRecords,
  isServerAlive,
  nameOfServer,
  type ServerRecord,
  type ServerRecords,
} from './server-record.js'
import { checkVersion } from './server-version.js'
import type { SessionRecords } from './session-record.js'
import { volatileNames } from './split-environment.js'

/** A server that the user runs. */
export interface ExternalServer {
  url: string
  username: string
  password?: string
  /** Part of the name of a plugin that must be loaded there: without it no agent gets its context. */
  plugin?: string
}

export interface PoolOptions {
  places: OpencodePlaces
  sessions: SessionRecords
  clock: Clock
  sessionsPerServer: number
  maxMemoryBytes: number
  /** Puts the servers' configuration and plugin in place. @returns its folder */
  prepareConfig: () => Promise<string>
  /** A server that the user runs, instead of any of ours. */
  external?: ExternalServer
  startTimeoutMs: number
  /** How long a server may take for one answer; it is asked three times before it counts as wedged. */
  healthTimeoutMs: number
  /** For people: an untested version, a server that was replaced. */
  remark: (text: string) => void
}

/** What a session wants of its server. */
export interface ServerNeed {
  /** Absolute, or a name for execvp. */
  program: string
  env: Readonly<Record<string, string>>
  fingerprint: string
  /** The server that had the session before. */
  preferred?: number
}

export interface ServerPool {
  records: ServerRecords
  /** A server of the user, whose environment is not ours to choose. */
  isExternal: boolean
  /**
   * A healthy server with room, started if need be. `reserve` is called under the pool's lock, so that nobody takes the
   * server for an empty one before the session is on it.
   *
   * @throws ExternalError `server-start-failed` | `missing-binary` | `unsupported-version` | `server-refused`; TimeoutError
   */
  place(need: ServerNeed, reserve: (server: ServerRecord) => void): Promise<ServerRecord>
  /** Called after a session left: under the lock, its server, and any other, is ended when nobody is on it. */
  release(n: number, forget: () => void): Promise<void>
  /**
   * Starts a server again, on its port and in its own environment.
   * @param mayRestart - asked under the lock
   * @returns it as it is now; undefined when it may not, or somebody else did it meanwhile
   */
  restart(server: ServerRecord, mayRestart: () => Promise<boolean>): Promise<ServerRecord | undefined>
  /** Its sessions go on: it is like any other again. */
  settle(n: number): void
  /** One question; `gone` is proven by its process where the server is ours. */
  health(server: ServerRecord, timeoutMs?: number): Promise<Health>
  /** Those whose memory is over the limit get no more sessions. @returns the servers that now wait to be started again */
  markHeavy(): Promise<ServerRecord[]>
  endAll(): Promise<void>
}

const LOCK_TIMEOUT_MS = 240_000
const HEALTH_TRIES = 3
const PORT_TRIES = 5
const EXTERNAL = 0

export function createServerPool(options: PoolOptions): ServerPool {
  const { places, sessions, clock } = options
  const records = createServerRecords(places)
  const locked = <T>(purpose: string, work: () => Promise<T>) =>
    withFileLock(join(places.locks, 'opencode-servers.lock'), { timeoutMs: LOCK_TIMEOUT_MS, purpose }, work)

  const health: ServerPool['health'] = async (server, timeoutMs = options.healthTimeoutMs) => {
    if (!server.external && !isServerAlive(server)) return { kind: 'gone' }
    return askHealth(server, authorization(server), timeoutMs)
  }

  /** Three times without an answer: wedged. */
  const judge = async (server: ServerRecord): Promise<Health> => {
    let last: Health = { kind: 'silent', why: 'not asked' }
    for (let attempt = 1; attempt <= HEALTH_TRIES && last.kind === 'silent'; attempt++)
      last = await health(server)
    return last
  }

  const start = async (
    base: ServerRecord,
    need: Pick<ServerNeed, 'program' | 'env'>,
  ): Promise<ServerRecord> => {
    await endServer(base) // what an earlier start of it left behind
    const configDir = await options.prepareConfig()
    for (let attempt = 1; attempt <= PORT_TRIES; attempt++) {
      const port = attempt === 1 && base.port !== 0 ? base.port : await freePort()
      const generation = base.generation + attempt
      const mark = `${base.n}.${generation}.${randomBytes(9).toString('hex')}`
      const { pid: _pid, startTime: _startTime, version: _version, ...kept } = base
      let server: ServerRecord = {
        ...kept,
        port,
        url: `http://127.0.0.1:${port}`,
        mark,
        generation,
        state: 'starting',
        startedAt: new Date(clock.now()).toISOString(),
        volatileNames: volatileNames(need.env),
      }
      records.write(server)
      try {
        const launched = await launchServer({
          program: need.program,
          cwd: places.dir,
          logFile: records.logOf(server.n),
          port,
          timeoutMs: options.startTimeoutMs,
          env: serverEnvironment(server, need.env, configDir, places),
          onStarted: (process) => {
            server = { ...server, ...process }
            records.write(server)
          },
        })
        if (launched.kind === 'port-taken') continue
        const version = await untilHealthy(server, authorization(server), {
          clock,
          timeoutMs: options.startTimeoutMs,
        })
        const remark = checkVersion(version)
        if (remark !== undefined) options.remark(remark)
        server = { ...server, version, state: 'ready' }
        records.write(server)
        return server
      } catch (error) {
        await endServer(server).catch(() => undefined)
        records.forget(server.n)
        throw error
      }
    }
    records.forget(base.n)
    throw new ExternalError(`no port for an OpenCode server: ${PORT_TRIES} were taken while it started`, {
      code: 'server-start-failed',
      hint: 'try again',
    })
  }

  const load = (server: ServerRecord) =>
    sessions.list().filter((one) => one.server === server.n && one.generation === server.generation).length

  const hasRoom = (server: ServerRecord, need: ServerNeed) =>
    server.state !== 'draining' &&
    server.fingerprint === need.fingerprint &&
    load(server) < options.sessionsPerServer

  const placeOutside = async (): Promise<ServerRecord> => {
    const { url, username, password } = options.external ?? { url: '', username: '' }
    const known = records.find(EXTERNAL)
    const server: ServerRecord = {
      formatVersion: 1,
      n: EXTERNAL,
      url: url.replace(/\/+$/, ''),
      port: Number(new URL(url).port) || 0,
      username,
      // Kept, because the merge queue, which agents set going, must reach it, too, and agents do not see the variable.
      password: password ?? (known?.url === url.replace(/\/+$/, '') ? known.password : ''),
      mark: 'external',
      generation: 1,
      fingerprint: 'external',
      volatileNames: [],
      state: 'ready',
      external: true,
      startedAt: known?.startedAt ?? new Date(clock.now()).toISOString(),
    }
    const answer = await judge(server)
    if (answer.kind !== 'healthy') throw externalUnusable(server, answer)
    const remark = checkVersion(answer.version)
    if (remark !== undefined) options.remark(remark)
    // There, so that a server can be started with it.
    await options.prepareConfig()
    if (options.external?.plugin !== undefined) await requirePlugin(server, options.external.plugin)
    const found = { ...server, version: answer.version }
    records.write(found)
    return found
  }

  const choose = async (need: ServerNeed): Promise<ServerRecord> => {
    recoverServers(places, records)
    const known = records.list().filter((server) => !server.external)
    const byPreference = [...known].sort(
      (a, b) => Number(b.n === need.preferred) - Number(a.n === need.preferred) || a.n - b.n,
    )
    for (const server of byPreference.filter(isServerAlive)) {
      if (!hasRoom(server, need)) continue
      const answer = await judge(server)
      if (answer.kind === 'healthy') {
        if (server.state === 'ready') return server
        // Its starter was killed before it could say so.
        const adopted: ServerRecord = { ...server, state: 'ready', version: answer.version }
        records.write(adopted)
        return adopted
      }
      const why = answer.kind === 'stranger' ? 'refused its password' : `did not answer ${HEALTH_TRIES} times`
      options.remark(`${nameOfServer(server)} ${why} and is started again`)
      return start(server, need)
    }
    const dead = byPreference.find((server) => !isServerAlive(server))
    if (dead !== undefined) return start({ ...dead, fingerprint: need.fingerprint }, need)
    return start(newServer(known, need.fingerprint), need)
  }

  /** An agent that was placed elsewhere may have been the last of another one. @param n - where the one that left was */
  const endUnused = async (n: number): Promise<void> => {
    const used = new Set(sessions.list().map((one) => one.server))
    for (const server of records.list()) {
      if (server.external || used.has(server.n)) continue
      // What is left over of others must not keep this one from leaving.
      const ended = endServer(server)
      const report = await (server.n === n ? ended : ended.catch(() => undefined))
      if (report?.survivors.length === 0) records.forget(server.n)
    }
  }

  return {
    records,
    isExternal: options.external !== undefined,
    health,
    place: (need, reserve) =>
      locked('placing a session', async () => {
        const server = options.external === undefined ? await choose(need) : await placeOutside()
        reserve(server)
        return server
      }),
    release: (n, forget) =>
      locked('a session that left', async () => {
        forget()
        await endUnused(n)
      }),
    restart: ({ n, generation }, mayRestart) =>
      locked('starting a server again', async () => {
        const server = records.find(n)
        const isSame = server?.generation === generation && server.state === 'draining'
        if (!isSame || !(await mayRestart())) return undefined
        const own = server === undefined ? undefined : ownEnvironment(server)
        if (server === undefined || own === undefined) {
          throw new ExternalError(`OpenCode server ${n} cannot be started again from here`, {
            code: 'server-start-failed',
            hint: 'the next agent that is started or resumed does it',
          })
        }
        const recycler = { pid: ownPid, startTime: processStart(ownPid) ?? '' }
        records.write({ ...server, recycler })
        return start({ ...server, recycler }, own)
      }),
    settle(n) {
      const server = records.find(n)
      if (server === undefined) return
      const { recycler: _recycler, ...settled } = server
      records.write(settled)
    },
    markHeavy: () =>
      locked('looking at memory', async () => {
        for (const server of records.list()) {
          const bytes = server.external ? undefined : residentBytes(server.pid)
          if (bytes === undefined || bytes <= options.maxMemoryBytes || server.state !== 'ready') continue
          options.remark(
            `${nameOfServer(server)} takes ${Math.round(bytes / 1e6)} MB: it gets no new session, and is started again when its agents are idle`,
          )
          records.write({ ...server, state: 'draining' })
        }
        return records.list().filter((server) => server.state === 'draining')
      }),
    endAll: () =>
      locked('ending all servers', async () => {
        recoverServers(places, records)
        for (const server of records.list()) {
          await endServer(server)
          records.forget(server.n)
        }
      }),
  }
}

function newServer(known: readonly ServerRecord[], fingerprint: string): ServerRecord {
  const taken = new Set(known.map((server) => server.n))
  let n = 1
  while (taken.has(n)) n++
  return {
    formatVersion: 1,
    n,
    url: '',
    port: 0,
    username: 'opencode',
    password: randomBytes(24).toString('base64url'),
    mark: `${n}.new`,
    generation: 0,
    fingerprint,
    volatileNames: [],
    state: 'starting',
    external: false,
    startedAt: '',
  }
}

/** Of a process that lives: what `start` needs is not written down anywhere, for it holds keys. */
function ownEnvironment(server: ServerRecord): Pick<ServerNeed, 'program' | 'env'> | undefined {
  return server.pid === undefined || !isServerAlive(server) ? undefined : readOwn(server.pid)
}

function serverEnvironment(
  server: ServerRecord,
  env: Readonly<Record<string, string>>,
  configDir: string,
  places: OpencodePlaces,
): Record<string, string> {
  return {
    ...env,
    OPENCODE_CONFIG_DIR: configDir,
    OPENCODE_DB: places.database,
    OPENCODE_SERVER_USERNAME: server.username,
    OPENCODE_SERVER_PASSWORD: server.password,
    GT_TOWN: places.townRoot,
    GT_OPENCODE_CARDS: places.cards,
    [SERVER_MARK]: server.mark,
  }
}

async function requirePlugin(server: ServerRecord, name: string): Promise<void> {
  const config = await answered(server, 'its configuration', clientOf(server).config.get({}, within()))
  if (JSON.stringify(config.plugin ?? []).includes(name)) return
  throw new ExternalError(
    `${nameOfServer(server)} has no plugin of gt: its agents would get no context and no mail`,
    {
      code: 'server-refused',
      hint: 'start it with OPENCODE_CONFIG_DIR, GT_TOWN and GT_OPENCODE_CARDS as the README of gt says',
      details: { url: server.url, plugin: name },
    },
  )
}

function externalUnusable(server: ServerRecord, health: Health): GtError {
  const why =
    health.kind === 'stranger'
      ? 'refuses the password'
      : health.kind === 'silent'
        ? `does not answer: ${health.why}`
        : 'is not there'
  return new ExternalError(`${nameOfServer(server)} ${why}`, {
    code: health.kind === 'stranger' ? 'server-refused' : 'server-start-failed',
    hint:
      health.kind === 'stranger'
        ? 'give its password in GT_OPENCODE_SERVER_PASSWORD'
        : 'start it, or take opencode_server_url out of town.toml',
    details: { url: server.url },
  })
}
