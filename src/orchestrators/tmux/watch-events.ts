import { GtError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { OrchestratorEvent } from '../../ports/orchestrator.js'

import { sessionChanges } from '../session-changes.js'
import { openControlClient } from './control-client.js'
import { askPanes, type Observing, sessionOf } from './observe-panes.js'
import type { PaneRecord } from './parse-panes.js'
import { serverSetup, WATCH_SESSION } from './server-setup.js'
import { ensureSocketDirectory } from './socket-directory.js'
import { sweepWatchers, WATCHER_OPTION, watcherToken } from './sweep-watchers.js'
import { isTmuxFailure } from './tmux-client.js'
import { tmuxCommand, tmuxWords } from './tmux-quote.js'

/**
 * What tmux tells at once: sessions and windows that come, go or are renamed. The death of a pane that is kept, a title
 * and output it does not tell, so all panes are asked for once a second as well, over the same connection: as seldom as
 * tmux would look at a subscription, and without one, whose timer runs on in tmux 3.3a after its client lost the session.
 */
const TRIGGERS = ['%sessions-changed', '%unlinked-window-', '%window-', '%session-']
const LOOK_EVERY_MS = 1000

/** Attempts in a row that did not get a single answer: a dying server takes a connection and drops it. */
const MAX_FAILURES = 5
const RECONNECT_MS = 100

/**
 * One control client, attached to a hidden session that lives as long as somebody watches; it is the only process that a
 * watcher starts. A server is started when none runs at the beginning, and never again: its end is an event.
 *
 * @throws ExternalError `missing-binary`
 */
export async function* watchEvents(deps: Observing, signal: AbortSignal): AsyncGenerator<OrchestratorEvent> {
  await sweepWatchers(deps.client)
  const known = new Map<AgentId, string>()
  let wasConnected = false
  for (let failures = 0; !signal.aborted; failures++) {
    let why = ''
    {
      await using watch = openWatch(deps, signal, !wasConnected)
      for (let panes = await watch.next(); panes !== undefined; panes = await watch.next()) {
        wasConnected = true
        failures = 0
        yield* sessionChanges(known, panes.map(sessionOf))
      }
      if (signal.aborted) return
      why = await watch.closed
    }
    if ((wasConnected && (await isServerGone(deps))) || failures >= MAX_FAILURES) {
      yield { kind: 'backend-gone', why }
      return
    }
    await deps.clock.sleep(RECONNECT_MS * (failures + 1))
  }
}

/** A server that does not answer is not gone; one that drops the connection is going. */
async function isServerGone(deps: Observing): Promise<boolean> {
  for (let attempt = 1; attempt <= MAX_FAILURES; attempt++) {
    try {
      await deps.client.run(['list-sessions', '-F', ''])
      return false
    } catch (error) {
      if (error instanceof GtError && error.code === 'missing-binary') throw error
      if (isTmuxFailure(error, 'no-server')) return true
      if (!isTmuxFailure(error, 'server-lost')) return false
    }
    await deps.clock.sleep(RECONNECT_MS)
  }
  return true
}

interface Watch extends AsyncDisposable {
  /** All agents' panes, after something changed; the first at once. undefined: closed, or `signal` fired. */
  next(): Promise<PaneRecord[] | undefined>
  readonly closed: Promise<string>
}

function openWatch(deps: Observing, signal: AbortSignal, mayStartServer: boolean): Watch {
  ensureSocketDirectory(deps.client.socketPath)
  let isDue = true
  let isOver = false
  let wake: () => void = () => undefined
  const control = openControlClient({
    argv: watchArgv(deps.client.argv, mayStartServer),
    onNotification(line) {
      if (!TRIGGERS.some((trigger) => line.startsWith(trigger))) return
      isDue = true
      wake()
    },
  })
  const end = () => {
    isOver = true
    wake()
  }
  signal.addEventListener('abort', end, { once: true })
  control.closed.then(end)
  const untilDue = async () => {
    if (isDue || isOver) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      wake = resolve
      timer = setTimeout(resolve, LOOK_EVERY_MS)
    })
    clearTimeout(timer)
  }
  return {
    closed: control.closed,
    async next() {
      await untilDue()
      if (isOver) return undefined
      isDue = false
      try {
        return await askPanes((words) => control.request(tmuxWords(words)), deps.clock)
      } catch (error) {
        if (error instanceof GtError && error.code === 'control-closed') return undefined
        if (isTmuxFailure(error, 'no-target')) return [] // the hidden session itself was ended: we are about to be
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', end)
      await control.close()
    },
  }
}

function watchArgv(tmux: readonly string[], mayStartServer: boolean): string[] {
  const target = `=${WATCH_SESSION}:`
  const kill = tmuxCommand('kill-session', '-t', `=${WATCH_SESSION}`)
  return [
    ...tmux,
    ...(mayStartServer ? [] : ['-N']),
    '-C',
    // First, for it is what `sweepWatchers` looks for in the process list.
    ...['set-option', '-g', WATCHER_OPTION, watcherToken(), ';'],
    ...[...serverSetup(), ';'],
    // Two words, so that tmux runs cat itself and not a shell; it waits for input that never comes.
    ...['new-session', '-A', '-E', '-s', WATCH_SESSION, '-f', 'no-output,ignore-size', '--', 'cat', '-', ';'],
    // Not `destroy-unattached`: tmux 3.3a does not count a client that is about to leave but still has output to
    // write, destroys the session under it, and crashes (seen when two watchers were killed at once).
    ...[
      'set-hook',
      '-t',
      target,
      'client-detached',
      tmuxCommand('if-shell', '-F', '-t', target, '#{session_attached}', '', kill),
    ],
  ]
}
