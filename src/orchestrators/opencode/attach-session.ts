import { existsSync } from 'node:fs'
import { ExternalError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import { serverSetup } from '../tmux/server-setup.js'
import { ensureSocketDirectory } from '../tmux/socket-directory.js'
import { createTmuxClient, isTmuxFailure } from '../tmux/tmux-client.js'
import { tmuxCommand, tmuxLine, tmuxWords } from '../tmux/tmux-quote.js'
import type { ServerRecord } from './server-record.js'
import type { SessionRecord } from './session-record.js'

export interface AttachDeps {
  /** Of the town's own tmux server, where agents in panes are, too. */
  socketPath: string
  /** Program name, for the person's command line. */
  tmux: string
  env: Readonly<Record<string, string | undefined>>
}

/** One that was asked for and never looked at is taken away again: it costs as much memory as a session itself. */
const UNWATCHED_S = 120
const SIZE = { columns: '160', rows: '48' }

/**
 * Makes a window of the town's tmux in which opencode shows a server session, unless there is one, and says how a person gets
 * in front of it. It closes when the last person leaves. The password is in the program's environment, not on its command
 * line, and reaches tmux by standard input.
 */
export async function attachSession(
  deps: AttachDeps,
  server: ServerRecord,
  record: SessionRecord,
): Promise<{ argv: string[] }> {
  const { socketPath, tmux } = deps
  const name = windowName(record)
  const client = createTmuxClient({ socketPath, binary: tmux, timeoutMs: 10_000 })
  ensureSocketDirectory(socketPath)
  try {
    await client.script(windowLines(deps, server, record, name))
  } catch (error) {
    if (!isTmuxFailure(error, 'duplicate-session')) throw withHint(error)
  }
  return { argv: [tmux, '-S', socketPath, 'attach', '-t', `=${name}`] }
}

/** Takes the window of an agent that was stopped away. Nothing to do where nobody attached. */
export async function closeAttachment(deps: AttachDeps, agent: AgentId): Promise<void> {
  if (!existsSync(deps.socketPath)) return
  const client = createTmuxClient({ socketPath: deps.socketPath, binary: deps.tmux, timeoutMs: 10_000 })
  // It may be gone, and tmux with it: a window is no reason to fail a stop.
  await client.run(['kill-session', '-t', `=${windowName({ agent })}`]).catch(() => undefined)
}

/** Agents' own sessions are called by their ids, which have no "+". */
export function windowName({ agent }: Pick<SessionRecord, 'agent'>): string {
  return `attach+${agent}`
}

function windowLines(deps: AttachDeps, server: ServerRecord, record: SessionRecord, name: string): string[] {
  const { program, directory, sessionId = '' } = record
  const target = `=${name}:`
  const closeIfAlone = tmuxCommand('if-shell', '-F', '-t', target, '#{session_attached}', '', killLine(name))
  const variables = Object.entries(viewerEnvironment(deps.env, server)).flatMap(([key, value]) => [
    '-e',
    `${key}=${value}`,
  ])
  return [
    tmuxWords(serverSetup()),
    tmuxLine(
      tmuxCommand('set-option', '-g', '@gt_cwd', directory),
      tmuxCommand(
        'new-session',
        ...['-E', '-d', '-s', name, '-n', record.agent, '-x', SIZE.columns, '-y', SIZE.rows],
        ...['-c', '#{@gt_cwd}', ...variables, '--'],
        ...[program, 'attach', server.url, '--session', sessionId, '--dir', directory],
      ),
      tmuxCommand('set-option', '-w', '-t', target, 'window-size', 'latest'),
      tmuxCommand('set-hook', '-t', target, 'client-detached', closeIfAlone),
      tmuxCommand('run-shell', '-b', '-d', String(UNWATCHED_S), '-C', closeIfAlone),
    ),
  ]
}

function killLine(name: string): string {
  return tmuxCommand('kill-session', '-t', `=${name}`)
}

function viewerEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  server: ServerRecord,
): Record<string, string> {
  const passed = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'COLORTERM']
  const xdg = ['XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_STATE_HOME', 'XDG_RUNTIME_DIR']
  const names = [...passed, ...xdg, 'OPENCODE_DISABLE_AUTOUPDATE', 'OPENCODE_DISABLE_MODELS_FETCH']
  return {
    ...Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))),
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_SERVER_USERNAME: server.username,
    OPENCODE_SERVER_PASSWORD: server.password,
  }
}

function withHint(error: unknown): unknown {
  if (!(error instanceof ExternalError) || error.code !== 'missing-binary') return error
  return new ExternalError(
    'attaching to a server session needs tmux, which is not installed, or not on PATH',
    {
      code: 'missing-binary',
      hint: 'gt tail -f shows what it says, gt send talks to it; or install tmux',
      cause: error,
    },
  )
}
