import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { ConflictError, OperationError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import { launchArgv } from '../../domain/runtime.js'
import type { ObservedSession, SpawnRequest } from '../../ports/orchestrator.js'
import { missingBinary } from '../../system/run.js'
import { captureScreen } from './capture-screen.js'
import { endTree } from './end-tree.js'
import { findProgram } from './find-program.js'
import { findPane, livenessOf, type Observing, sessionOf } from './observe-panes.js'
import { AGENT_OPTION, type PaneRecord, PROFILE_OPTION, paneFormat } from './parse-panes.js'
import type { ProcessRecords } from './process-record.js'
import { RETIRED_SESSION_PREFIX, serverSetup } from './server-setup.js'
import { ensureSocketDirectory } from './socket-directory.js'
import { isTmuxFailure } from './tmux-client.js'
import { tmuxCommand, tmuxLine, tmuxWords } from './tmux-quote.js'
import { encodeProfile } from './typing-profile.js'

export interface SpawnDeps extends Observing {
  records: ProcessRecords
  defaultSize: { columns: number; rows: number }
}

/** A dying server (its last session has just ended) takes a connection and drops it. */
const SERVER_TRIES = 5
const SERVER_RETRY_MS = 50
/** What outlived its tmux server has no terminal any more; it gets a short time. */
const ORPHAN_GRACE_MS = 1000

/** Called under the agent's `life` lock. */
export async function spawnSession(deps: SpawnDeps, request: SpawnRequest): Promise<ObservedSession> {
  const { client, records } = deps
  const { agent } = request
  const argv = checkedArgv(request)
  ensureSocketDirectory(client.socketPath)
  const old = await findPane(deps, agent)
  if (old !== undefined) await recycle(deps, request, old)
  const left = records.find(agent)
  if (old === undefined && left !== undefined) await endTree(left.root, [], ORPHAN_GRACE_MS, left.mark)

  const { format, parse } = paneFormat(randomBytes(9).toString('hex'))
  const lines = spawnLines(deps, request, argv, old, format)
  const [pane] = parse(await runScript(deps, agent, lines, format))
  if (pane === undefined) {
    throw new OperationError(`tmux started ${agent} and does not show it`, {
      code: 'spawn-unseen',
      details: { agent },
    })
  }
  const { GT_SESSION } = request.env
  await records.write(agent, pane.panePid, GT_SESSION === undefined ? undefined : `GT_SESSION=${GT_SESSION}`)
  return sessionOf(pane)
}

function checkedArgv(request: SpawnRequest): string[] {
  const { agent, runtime, cwd, env } = request
  const argv = launchArgv(runtime, request.launch)
  for (const text of [...argv, cwd, ...Object.entries(env).flat()]) {
    if (text.includes('\0'))
      throw new UsageError('a zero byte cannot be part of an argument or a variable', { code: 'zero-byte' })
  }
  for (const name of Object.keys(env)) {
    if (name !== '' && !name.includes('=')) continue
    throw new UsageError(`"${name}" cannot be the name of a variable`, {
      code: 'bad-variable',
      details: { agent },
    })
  }
  // tmux would start it in the home directory, or in /, without a word.
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new OperationError(`cannot start ${agent} in ${cwd}: no such directory`, {
      code: 'no-such-directory',
      details: { agent, cwd },
    })
  }
  const [program = ''] = argv
  if (findProgram(program, env.PATH ?? '/usr/bin:/bin', cwd) === undefined) throw missingBinary(program, argv)
  return argv
}

/** @throws ConflictError when there is nothing to recycle: it lives */
async function recycle(deps: SpawnDeps, request: SpawnRequest, pane: PaneRecord): Promise<void> {
  const liveness = livenessOf(pane)
  if (liveness.kind === 'running') throw alreadyRunning(request.agent, `in pane ${pane.paneId}`)
  request.onRecycled?.(await captureScreen(deps.client, pane.paneId))
  // Processes that the dead program left behind would go on working in the worktree.
  await endTree(undefined, [pane], ORPHAN_GRACE_MS, deps.records.find(request.agent)?.mark)
}

function alreadyRunning(agent: AgentId, where: string, cause?: unknown): ConflictError {
  return new ConflictError(`agent ${agent} already runs ${where}`, {
    code: 'already-running',
    hint: `gt agent stop ${agent}`,
    details: { agent },
    cause,
  })
}

function spawnLines(
  deps: SpawnDeps,
  request: SpawnRequest,
  argv: readonly string[],
  old: PaneRecord | undefined,
  format: string,
): string[] {
  const { agent } = request
  const columns = String(request.columns ?? deps.defaultSize.columns)
  const rows = String(request.rows ?? deps.defaultSize.rows)
  const target = `=${agent}:`
  const retired = RETIRED_SESSION_PREFIX + randomBytes(4).toString('hex')
  const variables = Object.entries(request.env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  const create = [
    '-E',
    '-d',
    '-s',
    agent,
    '-n',
    agent,
    '-x',
    columns,
    '-y',
    rows,
    // The directory is a format to tmux. The value of an option is not: no "#{...}" in a path is expanded.
    '-c',
    '#{@gt_cwd}',
    ...variables,
    '--',
    ...throughEnv(request.env, argv),
  ]
  const resize = tmuxLine(
    tmuxCommand('set-option', '-w', '-t', target, 'window-size', 'manual'),
    tmuxCommand('resize-window', '-t', target, '-x', columns, '-y', rows),
  )
  return [
    tmuxWords(serverSetup()),
    tmuxLine(
      tmuxCommand('set-option', '-g', '@gt_cwd', request.cwd),
      // First aside, then away: the server ends with its last session.
      ...(old === undefined ? [] : [tmuxCommand('rename-session', '-t', `=${old.sessionName}`, retired)]),
      tmuxCommand('new-session', ...create),
      // All in the server's same step: the program cannot end before its window keeps the dead.
      tmuxCommand('set-option', '-w', '-t', target, 'remain-on-exit', 'on'),
      tmuxCommand('set-option', '-w', '-t', target, 'window-size', 'manual'),
      tmuxCommand('set-option', '-p', '-t', target, AGENT_OPTION, agent),
      tmuxCommand('set-option', '-p', '-t', target, PROFILE_OPTION, encodeProfile(request.runtime)),
      // The window follows a person's terminal while one looks, and then returns to its own size.
      tmuxCommand(
        'set-hook',
        '-t',
        target,
        'client-attached',
        tmuxCommand('set-option', '-w', '-t', target, 'window-size', 'latest'),
      ),
      tmuxCommand(
        'set-hook',
        '-t',
        target,
        'client-detached',
        tmuxCommand('if-shell', '-F', '-t', target, '#{session_attached}', '', resize),
      ),
      ...(old === undefined ? [] : [tmuxCommand('kill-session', '-t', `=${retired}`)]),
      tmuxCommand('display-message', '-p', '-t', target, format),
    ),
  ]
}

/**
 * With a single argument tmux runs a shell, and it always sets SHELL to its own choice; env(1) replaces itself by the
 * program, so the pane's process is still the agent.
 */
function throughEnv(env: SpawnRequest['env'], argv: readonly string[]): string[] {
  if (env.SHELL !== undefined) return ['/usr/bin/env', `SHELL=${env.SHELL}`, ...argv]
  return argv.length === 1 ? ['/usr/bin/env', ...argv] : [...argv]
}

async function runScript(
  deps: SpawnDeps,
  agent: AgentId,
  lines: readonly string[],
  format: string,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.client.script(lines)
    } catch (error) {
      if (isTmuxFailure(error, 'duplicate-session')) throw alreadyRunning(agent, 'on this tmux socket', error)
      // Seen once, with two first sessions at the same moment: the setting up found no session to stand on.
      if (isTmuxFailure(error, 'no-target') && (await findPane(deps, agent)) !== undefined) {
        // Nobody else makes this session: we hold the agent's lock, and there was none when we began.
        return await deps.client.run(['display-message', '-p', '-t', `=${agent}:`, format])
      }
      if (!isTmuxFailure(error, 'no-server', 'server-lost', 'no-target') || attempt >= SERVER_TRIES)
        throw error
      await deps.clock.sleep(SERVER_RETRY_MS * attempt)
      // The server may have gone after it made the session for us.
      const pane = await findPane(deps, agent)
      if (pane !== undefined) throw alreadyRunning(agent, `in pane ${pane.paneId}`, error)
    }
  }
}
