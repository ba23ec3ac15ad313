import type { Agent } from '../domain/agent.js'
import type { Bead } from '../domain/bead.js'
import type { Fallback, SessionBackend } from '../domain/choose-backend.js'
import type { Role } from '../domain/config.js'
import { ExternalError, OperationError, TimeoutError } from '../domain/errors.js'
import { given } from '../domain/fields.js'
import type { Op } from '../domain/record.js'
import type { Rig } from '../domain/rig.js'
import { canFork, canResume, type LaunchValues, type Runtime } from '../domain/runtime.js'
import { sessionEnv } from '../domain/session-env.js'
import type { ObservedSession, Orchestrator } from '../ports/orchestrator.js'
import { homeHere } from './here.js'
import { newKey } from './new-key.js'
import { mailOps } from './send-mail.js'
import type { Town } from './town.js'

export interface StartedSession extends ObservedSession {
  fallback?: Fallback
}

export interface SessionStart {
  agent: Agent
  role: Role
  runtime: Runtime
  rig: Rig
  bead?: Bead
  /** Absolute path of the worktree. */
  cwd: string
  prompt?: string
  mode: 'new' | 'resume' | 'fork'
  /** The runtime's own conversation id, for resume and fork. */
  conversation?: string
  /** For a fork: the message before which the copy begins. */
  forkAt?: string
  model?: string
  /** Left out: the one that was recorded for the agent. */
  backend?: SessionBackend
  extraArgs?: readonly string[]
}

/** Sender of what gt itself has to tell an agent. */
const GT = 'gt'

/**
 * Records a new session and starts it. The record comes first: a kill in between leaves a session that never started,
 * which status shows and a second try finishes.
 * @param extraOps - put into the record that says that the session runs
 */
export async function startSession(
  town: Town,
  start: SessionStart,
  extraOps: (sessionId: string) => Op[] = () => [],
): Promise<StartedSession> {
  const { agent, runtime } = start
  checkMode(start)
  const orchestrator = await town.orchestrator()
  const backend = start.backend ?? agent.backend
  const places = await town.prepareRuntime(runtime)
  const at = new Date(town.clock.now()).toISOString()
  // In a terminal, a program with a plugin that continues a conversation takes no prompt; its plugin brings the mail that waits.
  const takesPrompt = orchestrator.takesPromptOnResume?.({ agent: agent.id, runtime, backend }) ?? false
  const byMail = start.mode === 'resume' && runtime.hooks === 'plugin' && !takesPrompt
  const prompt = byMail ? undefined : start.prompt

  const { id: sessionId } = town.ledger.transact(town.actor, (view) => {
    const { id } = newKey(town, view, 's')
    const fields = given({
      agent: agent.id,
      assignee: agent.id,
      backend,
      runtime: runtime.name,
      worktree: start.cwd,
      home: homeHere(town),
      state: 'starting',
      state_at: at,
      conversation: start.mode === 'resume' ? start.conversation : undefined,
      // Names only: a key is never written down.
      passed: runtime.passEnv.filter((name) => town.env[name] !== undefined).join(' '),
    })
    return {
      id,
      ops: [
        { o: 'new', id, k: 'session', f: fields },
        { o: 'set', id: agent.id, f: { session: id } },
        ...(byMail && start.prompt !== undefined
          ? mailOps(town, view, {
              from: GT,
              to: agent.id,
              subject: 'you were started again',
              body: start.prompt,
            }).ops
          : []),
      ] satisfies Op[],
    }
  })
  town.step('session.recorded')

  const promptByArgument = runtime.promptArgs.length > 0
  const promptFile = prompt === undefined ? undefined : promptPath(town, agent)
  if (promptFile !== undefined && prompt !== undefined) town.host.writeFile(promptFile, prompt)
  const env = sessionEnv({
    caller: town.env,
    passEnv: town.config.passEnv,
    runtime,
    places,
    identity: {
      town: town.root,
      agent: agent.id,
      role: start.role.name,
      rig: start.rig.name,
      ...(start.bead === undefined ? {} : { bead: start.bead.id }),
      session: sessionId,
      targetBranch: start.rig.branch,
      stalledAfterMs: town.config.limits.stalledAfterMs,
      autonomous: start.role.autonomous,
      gtProgram: town.places.gtProgram,
      gtFolder: town.places.gtFolder,
      runDir: town.places.runDir,
      bellDir: town.places.bellDir,
      ...(start.mode === 'resume' && start.conversation !== undefined
        ? { conversation: start.conversation }
        : {}),
    },
  })
  if (promptFile !== undefined) env.GT_PROMPT_FILE = promptFile
  const launch: LaunchValues = {
    mode: start.mode,
    autonomous: start.role.autonomous,
    ...(prompt === undefined || !promptByArgument ? {} : { prompt }),
    ...(start.conversation === undefined ? {} : { session: start.conversation }),
    ...(start.model === undefined ? {} : { model: start.model }),
    ...(start.forkAt === undefined ? {} : { forkAt: start.forkAt }),
    ...(start.extraArgs === undefined ? {} : { extraArgs: start.extraArgs }),
  }
  let fallback: Fallback | undefined
  const request = {
    agent: agent.id,
    runtime,
    cwd: start.cwd,
    env,
    launch,
    backend,
    onRecycled: (screen: string[]) => keepScreen(town, agent, screen),
    onFallback: (happened: Fallback) => {
      fallback = happened
    },
  }
  const begin = { new: 'spawn', resume: 'resume', fork: 'fork' } as const
  const observed = await orchestrator[begin[start.mode]](request)
  town.step('session.spawned')
  if (prompt !== undefined && !promptByArgument && runtime.ready.kind === 'screen') {
    await typeFirstPrompt(town, orchestrator, start, runtime.ready.text, prompt)
  }

  town.ledger.transact(town.actor, () => ({
    ops: [
      {
        o: 'set',
        id: sessionId,
        f: given({
          location: observed.location,
          pid: pidOf(observed),
          backend: observed.backend,
          conversation: observed.conversation,
        }),
      },
      ...(observed.backend === agent.backend
        ? []
        : [{ o: 'set' as const, id: agent.id, f: { backend: observed.backend } }]),
      ...(fallback === undefined ? [] : [fallbackEvent(agent, fallback)]),
      { o: 'ev', type: 'session.spawned', data: { agent: agent.id, session: sessionId, mode: start.mode } },
      ...extraOps(sessionId),
    ],
  }))
  return fallback === undefined ? observed : { ...observed, fallback }
}

function fallbackEvent(agent: Agent, { wanted, used, why }: Fallback): Op {
  return { o: 'ev', type: 'session.fallback', data: { agent: agent.id, wanted, used, why } }
}

function checkMode(start: SessionStart): void {
  const { runtime, mode } = start
  const able = mode === 'new' || (mode === 'resume' ? canResume(runtime) : canFork(runtime))
  if (able && (mode === 'new' || start.conversation !== undefined)) return
  throw new OperationError(
    able
      ? `${start.agent.id} never told its conversation id, so it cannot ${mode}`
      : `runtime ${runtime.name} cannot ${mode} a conversation`,
    {
      code: 'not-supported',
      hint: `start afresh: gt agent start ${start.agent.id}`,
      details: { runtime: runtime.name, ability: mode },
    },
  )
}

/** Last screen of a session that is replaced or ended, for `gt agent show`. */
export function keepScreen(town: Town, agent: Agent, screen: readonly string[]): void {
  if (screen.length > 0) town.host.writeFile(screenPath(town, agent), `${screen.join('\n')}\n`)
}

export function screenPath(town: Town, agent: Agent): string {
  return `${town.places.runDir}/screens/${agent.id.replace('/', '_')}.txt`
}

function promptPath(town: Town, agent: Agent): string {
  return `${town.places.runDir}/prompts/${agent.id.replace('/', '_')}.md`
}

function pidOf(observed: ObservedSession): number | undefined {
  return observed.liveness.kind === 'running' ? observed.liveness.pid : undefined
}

const READY_TIMEOUT_MS = 60_000

/** For programs that take no first prompt as an argument: wait for their prompt on the screen, then type. */
async function typeFirstPrompt(
  town: Town,
  orchestrator: Orchestrator,
  start: SessionStart,
  marker: string,
  prompt: string,
): Promise<void> {
  const deadline = town.clock.now() + READY_TIMEOUT_MS
  let screen: string[] = []
  while (town.clock.now() < deadline) {
    screen = await orchestrator.output(start.agent.id)
    if (screen.some((line) => line.includes(marker))) {
      // Typing puts the runtime's own prefix before it.
      await orchestrator.send(start.agent.id, prompt.replace(/^\[gt\] /, ''))
      return
    }
    const live = await orchestrator.status(start.agent.id)
    if (live.kind === 'stopped') {
      throw new ExternalError(`${start.runtime.name} ended before it was ready`, {
        code: 'ended-early',
        hint: `its last screen: gt peek ${start.agent.id}`,
        details: { ...live, screen: screen.slice(-10) },
      })
    }
    await town.clock.sleep(200)
  }
  throw new TimeoutError(`${start.agent.id} did not show "${marker}" within ${READY_TIMEOUT_MS / 1000} s`, {
    code: 'not-ready',
    hint: `look: gt peek ${start.agent.id}`,
    details: { lastSeen: screen.slice(-10) },
  })
}
