import { randomBytes } from 'node:crypto'
import { ConflictError, OperationError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import { livenessOf, type Observing } from './observe-panes.js'
import type { PaneRecord } from './parse-panes.js'
import { isTmuxFailure, type TmuxClient } from './tmux-client.js'
import { tmuxCommand, tmuxLine } from './tmux-quote.js'

/** Whose pane is typed into. */
export interface TypingTarget {
  agent: AgentId
  pane: PaneRecord
}

/** @throws ConflictError `session-dead`, `input-off` */
export function requireTypable({ agent, pane }: TypingTarget): void {
  const liveness = livenessOf(pane)
  if (liveness.kind !== 'running') throw sessionDead(agent, liveness.why)
  if (pane.isInputOff) throw inputOff(agent, pane)
}

function sessionDead(agent: AgentId, why: string): ConflictError {
  return new ConflictError(`${agent} cannot be sent anything: ${why}`, {
    code: 'session-dead',
    hint: `gt agent resume ${agent}`,
    details: { agent },
  })
}

function inputOff(agent: AgentId, pane: PaneRecord): ConflictError {
  return new ConflictError(`${agent} takes no input: somebody switched it off for pane ${pane.paneId}`, {
    code: 'input-off',
    hint: `switch it on in tmux: select-pane -e -t ${pane.paneId}`,
    details: { agent, pane: pane.paneId },
  })
}

/**
 * `if-shell -F` looks and acts in one step of the server, so the pane cannot die in between: a paste into a dead pane
 * crashes tmux 3.3a, with every session of the town (fixed upstream in February 2024).
 */
function guarded(pane: PaneRecord, otherwise: string, ...commands: readonly string[]): string[] {
  const cannot = '#{||:#{pane_dead},#{pane_input_off}}'
  const sayWhy = tmuxCommand('display-message', '-p', '-t', pane.paneId, '#{?pane_dead,DEAD,OFF}')
  const refuse = otherwise === '' ? sayWhy : tmuxLine(otherwise, sayWhy)
  return ['if-shell', '-F', '-t', pane.paneId, cannot, refuse, tmuxLine(...commands)]
}

async function runGuarded(
  client: TmuxClient,
  target: TypingTarget,
  args: readonly string[],
  stdin?: string,
): Promise<void> {
  const { agent, pane } = target
  let said: string
  try {
    said = (await client.run(args, stdin)).trim()
  } catch (error) {
    if (isTmuxFailure(error, 'no-target', 'no-server', 'server-lost'))
      throw sessionDead(agent, 'its session is gone')
    throw error
  }
  if (said === 'DEAD') throw sessionDead(agent, 'its program ended')
  if (said === 'OFF') throw inputOff(agent, pane)
}

/** Puts text into the program's input, whatever mode the pane is in. */
export async function paste(client: TmuxClient, target: TypingTarget, text: string): Promise<void> {
  const { paneId } = target.pane
  // A name of its own: other senders use the same server at the same time.
  const buffer = `gt-${randomBytes(6).toString('hex')}`
  const act = guarded(
    target.pane,
    tmuxCommand('delete-buffer', '-b', buffer),
    // Any mode (copy, tree, clock) takes keys for itself; -q leaves it, and is harmless in none.
    tmuxCommand('copy-mode', '-q', '-t', paneId),
    tmuxCommand('paste-buffer', '-p', '-r', '-d', '-b', buffer, '-t', paneId),
  )
  await runGuarded(client, target, ['load-buffer', '-b', buffer, '-', ';', ...act], text)
}

/** @param key - in tmux's words: `Enter`, `Escape`, `C-c` */
export async function pressKey(client: TmuxClient, target: TypingTarget, key: string): Promise<void> {
  const { paneId } = target.pane
  const press = [tmuxCommand('copy-mode', '-q', '-t', paneId), tmuxCommand('send-keys', '-t', paneId, key)]
  await runGuarded(client, target, guarded(target.pane, '', ...press))
}

/** Between interrupt keys: two in one write are another key (ESC ESC is Alt-Escape to many programs). */
const KEY_GAP_MS = 120

/** @throws ConflictError `session-dead`, `input-off`; OperationError `not-supported` when the runtime has no such keys */
export async function pressKeys(
  deps: Observing,
  target: TypingTarget,
  keys: readonly string[],
): Promise<void> {
  requireTypable(target)
  if (keys.length === 0) {
    throw new OperationError(`the runtime of ${target.agent} has no keys that interrupt a turn`, {
      code: 'not-supported',
      hint: 'give the runtime its interrupt keys in town.toml',
      details: { agent: target.agent },
    })
  }
  for (const [index, key] of keys.entries()) {
    if (index > 0) await deps.clock.sleep(KEY_GAP_MS)
    await pressKey(deps.client, target, key)
  }
}
