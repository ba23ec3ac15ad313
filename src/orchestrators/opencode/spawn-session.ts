import { statSync } from 'node:fs'
import { pid as ownPid } from 'node:process'
import { ConflictError, ExternalError, OperationError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { ObservedSession, SpawnRequest } from '../../ports/orchestrator.js'
import { endMarked } from '../../system/end-marked.js'
import { processStart } from '../../system/process-table.js'
import { missingBinary } from '../../system/run.js'
import { findProgram } from '../tmux/find-program.js'
import { findPrompt, givePrompt, newNonce, readMessages } from './give-prompt.js'
import { describeInterruption, INTERRUPTION_LOOK_BACK } from './interruption.js'
import { type Observing, observeSession } from './observe-sessions.js'
import type { OpencodePlaces } from './places.js'
import { readLaunch, type ServerLaunch } from './read-launch.js'
import { readTranscript, type TranscriptDeps } from './read-transcript.js'
import { fingerprintOf } from './recover-servers.js'
import { answered, clientOf, within } from './server-client.js'
import type { ServerRecord } from './server-record.js'
import { removeCard, writeCard } from './session-card.js'
import type { SessionRecord } from './session-record.js'
import { cardEnvironment, splitEnvironment } from './split-environment.js'
import { trimCatalogue } from './trim-catalogue.js'

export interface SpawnDeps extends Observing, TranscriptDeps {
  places: OpencodePlaces
  /** Whether servers get a catalogue of only those models that can be used. */
  trimsCatalogue: boolean
}

/** What outlived its server has nobody to answer to; it gets a short time. */
const ORPHAN_GRACE_MS = 1_000
const DEFAULT_AGENT = 'build'

export type SpawnMode = 'new' | 'resume' | 'fork'

/**
 * Makes (or takes up again) a session on a server: placed, created, its card written, its first prompt given and seen. Each
 * step is recorded, so that a kill in between leaves something that `status` calls stopped and the next start replaces.
 * Called under the agent's `life` lock.
 */
export async function spawnSession(
  deps: SpawnDeps,
  request: SpawnRequest,
  mode: SpawnMode,
): Promise<ObservedSession> {
  const launch = readLaunch(request)
  const program = checkRequest(request, launch.program)
  const old = deps.sessions.find(request.agent)
  if (old !== undefined) await recycle(deps, request, old)

  const { server, record: reserved } = await place(deps, request, launch, program, old)
  try {
    const record = await begin(deps, server, { ...reserved, awaiting: newNonce() }, request, mode)
    await giveFirstPrompt(server, record, launch, mode)
    const { awaiting: _awaiting, starter: _starter, ...settled } = record
    deps.sessions.write(settled)
    return observeSession(deps, settled)
  } catch (error) {
    await giveBack(deps, request.agent).catch(() => undefined)
    throw error
  }
}

/** @returns the program, absolute */
function checkRequest(request: SpawnRequest, program: string): string {
  const { agent, cwd, env } = request
  for (const text of [cwd, ...Object.entries(env).flat()]) {
    if (text.includes('\0'))
      throw new UsageError('a zero byte cannot be part of a variable', { code: 'zero-byte' })
  }
  // A server would accept it silently, and work in no project.
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new OperationError(`cannot start ${agent} in ${cwd}: no such directory`, {
      code: 'no-such-directory',
      details: { agent, cwd },
    })
  }
  const found = findProgram(program, env.PATH ?? '/usr/bin:/bin', cwd)
  if (found === undefined) throw missingBinary(program)
  return found
}

/** @throws ConflictError `already-running`; ExternalError `unknown-liveness` */
async function recycle(deps: SpawnDeps, request: SpawnRequest, old: SessionRecord): Promise<void> {
  const { agent } = request
  const observed = await observeSession(deps, old)
  const { liveness } = observed
  if (liveness.kind === 'running') {
    throw new ConflictError(`agent ${agent} already runs on ${observed.location}`, {
      code: 'already-running',
      hint: `gt agent stop ${agent}`,
      details: { agent },
    })
  }
  if (liveness.kind === 'unknown') {
    throw new ExternalError(`cannot tell whether ${agent} runs: ${liveness.why}`, {
      code: 'unknown-liveness',
      hint: 'try again',
      details: { agent },
    })
  }
  // Tools of a dead server work on in the worktree.
  if (old.mark !== undefined) await endMarked(old.mark, ORPHAN_GRACE_MS)
  if (request.onRecycled !== undefined && old.sessionId !== undefined) {
    request.onRecycled(await readTranscript(deps, old).catch(() => []))
  }
}

async function place(
  deps: SpawnDeps,
  request: SpawnRequest,
  launch: ServerLaunch,
  program: string,
  old: SessionRecord | undefined,
): Promise<{ server: ServerRecord; record: SessionRecord }> {
  const models =
    deps.pool.isExternal || !deps.trimsCatalogue
      ? undefined
      : trimCatalogue(deps.places, request.env, request.cwd)
  const env = models === undefined ? request.env : { ...request.env, OPENCODE_MODELS_PATH: models }
  const split = splitEnvironment(env)
  const starter = { pid: ownPid, startTime: processStart(ownPid) ?? '' }
  const { GT_SESSION } = request.env
  let record: SessionRecord | undefined
  deps.sessions.markWhole()
  const need = { program, env: split.server, fingerprint: fingerprintOf(program, env) }
  const server = await deps.pool.place(
    old === undefined ? need : { ...need, preferred: old.server },
    (chosen) => {
      record = {
        formatVersion: 1,
        agent: request.agent,
        server: chosen.n,
        generation: chosen.generation,
        directory: request.cwd,
        program,
        startedAt: new Date().toISOString(),
        maxBytes: request.runtime.submit.maxBytes,
        starter,
        ...(GT_SESSION === undefined ? {} : { mark: `GT_SESSION=${GT_SESSION}` }),
        ...(launch.model === undefined ? {} : { model: launch.model }),
      }
      deps.sessions.write(record)
    },
  )
  if (record === undefined) throw new Error('a placed session has a record')
  return { server, record }
}

/** The session exists, its card and its record say so. */
async function begin(
  deps: SpawnDeps,
  server: ServerRecord,
  reserved: SessionRecord,
  request: SpawnRequest,
  mode: SpawnMode,
): Promise<SessionRecord> {
  const { agent, cwd, env } = request
  const agentName = readLaunch(request).agentName ?? (await defaultAgent(server, cwd))
  const sessionId = await makeSession(deps, server, reserved, request, mode)
  const split = splitEnvironment(env)
  writeCard(deps.places, {
    sessionID: sessionId,
    agent,
    directory: cwd,
    env: {
      ...cardEnvironment(split.card, server.volatileNames),
      // An opencode that the agent starts itself is not limited to what the servers need.
      ...(env.OPENCODE_MODELS_PATH === undefined ? { OPENCODE_MODELS_PATH: '' } : {}),
    },
  })
  const record = { ...reserved, sessionId, agentName }
  deps.sessions.write(record)
  return record
}

async function defaultAgent(server: ServerRecord, directory: string): Promise<string> {
  const config = await answered(
    server,
    'its configuration',
    clientOf(server).config.get({ directory }, within()),
  )
  return config.default_agent ?? DEFAULT_AGENT
}

async function makeSession(
  deps: SpawnDeps,
  server: ServerRecord,
  reserved: SessionRecord,
  request: SpawnRequest,
  mode: SpawnMode,
): Promise<string> {
  const { agent, cwd, env, launch } = request
  const title = [agent, env.GT_BEAD].filter((part) => part !== undefined).join(' ')
  const metadata = { gt: metadataOf(deps, reserved, env) }
  const client = clientOf(server, cwd)
  if (mode === 'new') {
    const made = await answered(server, 'a new session', client.session.create({ title, metadata }, within()))
    return made.id
  }
  const conversation = launch.session ?? ''
  if (mode === 'resume') {
    const taken = await answered(
      server,
      'to take up a session',
      client.session.update({ sessionID: conversation, metadata }, within()),
    )
    return taken.id
  }
  const at = launch.forkAt === undefined ? {} : { messageID: launch.forkAt }
  const copy = await answered(
    server,
    'a fork',
    client.session.fork({ sessionID: conversation, ...at }, within()),
  )
  await answered(server, 'a fork', client.session.update({ sessionID: copy.id, title, metadata }, within()))
  if (copy.directory !== cwd) await moveTo(server, copy.id, cwd)
  return copy.id
}

/** A copy is made where its original is. */
async function moveTo(server: ServerRecord, sessionId: string, directory: string): Promise<void> {
  await answered(
    server,
    `a conversation can be forked only within one repository`,
    clientOf(server).experimental.controlPlane.moveSession(
      { sessionID: sessionId, destination: { directory } },
      within(),
    ),
  )
}

/** What a lost registry is made again from. */
function metadataOf(
  deps: SpawnDeps,
  reserved: SessionRecord,
  env: SpawnRequest['env'],
): Record<string, unknown> {
  const { agent, server, generation, program, maxBytes, model } = reserved
  return {
    town: deps.places.townRoot,
    agent,
    bead: env.GT_BEAD ?? null,
    session: env.GT_SESSION ?? null,
    ...{ server, generation, program, maxBytes, model: model ?? null },
  }
}

async function giveFirstPrompt(
  server: ServerRecord,
  record: SessionRecord,
  launch: ServerLaunch,
  mode: SpawnMode,
): Promise<void> {
  const { sessionId = '', agentName = DEFAULT_AGENT, model, awaiting } = record
  const cutOff =
    mode === 'resume'
      ? describeInterruption(await readMessages(server, sessionId, INTERRUPTION_LOOK_BACK))
      : undefined
  const text = [launch.prompt, cutOff].filter((part) => part !== undefined).join(' ')
  if (text === '') return
  // The same start, killed and repeated, does not prompt twice.
  if (awaiting !== undefined && (await findPrompt(server, sessionId, awaiting)) !== undefined) return
  await givePrompt({
    server,
    sessionId,
    text,
    agentName,
    ...(model === undefined ? {} : { model }),
    ...(awaiting === undefined ? {} : { nonce: awaiting }),
  })
}

/** After a failed start: nothing of it works on. A conversation that was to be resumed stays. */
async function giveBack(deps: SpawnDeps, agent: AgentId): Promise<void> {
  const record = deps.sessions.find(agent)
  if (record === undefined) return
  const server = deps.pool.records.find(record.server)
  if (server !== undefined && record.sessionId !== undefined) {
    await clientOf(server)
      .session.abort({ sessionID: record.sessionId }, within(5_000))
      .catch(() => undefined)
    removeCard(deps.places, record.sessionId)
  }
  await deps.pool.release(record.server, () => deps.sessions.forget(agent))
}
