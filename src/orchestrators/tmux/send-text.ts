import { randomBytes } from 'node:crypto'
import { ConflictError, OperationError, TimeoutError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { SubmitProfile } from '../../domain/runtime.js'
import type { Receipt, SendOptions } from '../../ports/orchestrator.js'
import { captureScreen, cutBlanks } from './capture-screen.js'
import { livenessOf, type Observing } from './observe-panes.js'
import type { PaneRecord } from './parse-panes.js'
import { type Arrival, isStillInInput, provenArrival } from './screen-proof.js'
import { isTmuxFailure, type TmuxClient } from './tmux-client.js'
import { tmuxCommand, tmuxLine } from './tmux-quote.js'

const SHOWN_TIMEOUT_MS = 5000
const FIRST_LOOK_MS = 15
const LONGEST_LOOK_MS = 200
/** Guide: a second Enter submits in every case seen; the third is for a machine under load. */
const MAX_ENTERS = 3
const CONFIRM_TIMEOUT_MS = 2000

/** Whose pane is typed into. */
export interface TypingTarget {
  agent: AgentId
  pane: PaneRecord
}

export interface SendRequest extends TypingTarget {
  /** Made by `payloadOf`. */
  payload: string
  submit: SubmitProfile
  options: SendOptions
}

/**
 * What is really typed: control characters would be keys to the program (an ESC could end the bracketed paste), and a
 * newline at the end is the Enter that we send ourselves.
 *
 * @throws UsageError `text-too-long`, `empty-text`
 */
export function payloadOf(text: string, submit: SubmitProfile, agent: AgentId): string {
  const clean = text
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
    .replace(/\n+$/, '')
  if (clean === '')
    throw new UsageError('there is no text to send', { code: 'empty-text', details: { agent } })
  const payload = submit.prefix + clean + submit.suffix
  const bytes = Buffer.byteLength(payload)
  if (bytes <= submit.maxBytes) return payload
  throw new UsageError(`the text has ${bytes} bytes; ${agent} takes ${submit.maxBytes} at once`, {
    code: 'text-too-long',
    hint: `gt mail send ${agent}`,
    details: { agent, bytes, maxBytes: submit.maxBytes },
  })
}

/** Called under the agent's `keys` lock. */
export async function sendText(deps: Observing, request: SendRequest): Promise<Receipt> {
  const { client } = deps
  const { agent, pane } = request
  requireTypable(agent, pane)
  const before = await captureScreen(client, pane.paneId)
  await paste(client, request)
  await deps.clock.sleep(request.submit.enterDelayMs)
  const { arrival, screen } = await awaitArrival(deps, request, before)
  return submit(deps, request, arrival, screen)
}

function requireTypable(agent: AgentId, pane: PaneRecord): void {
  const liveness = livenessOf(pane)
  if (liveness.kind !== 'running') throw sessionDead(agent, liveness.why)
  if (pane.isInputOff) throw inputOff(agent, pane)
}

function sessionDead(agent: AgentId, why: string): ConflictError {
  return new ConflictError(`${agent} cannot be sent anything: ${why}`, {
    code: 'session-dead',
    hint: `gt agent restart ${agent}`,
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

async function paste(client: TmuxClient, request: SendRequest): Promise<void> {
  const { paneId } = request.pane
  // A name of its own: other senders use the same server at the same time.
  const buffer = `gt-${randomBytes(6).toString('hex')}`
  const act = guarded(
    request.pane,
    tmuxCommand('delete-buffer', '-b', buffer),
    // Any mode (copy, tree, clock) takes keys for itself; -q leaves it, and is harmless in none.
    tmuxCommand('copy-mode', '-q', '-t', paneId),
    tmuxCommand('paste-buffer', '-p', '-r', '-d', '-b', buffer, '-t', paneId),
  )
  await runGuarded(client, request, ['load-buffer', '-b', buffer, '-', ';', ...act], request.payload)
}

/** @param key - in tmux's words: `Enter`, `Escape`, `C-c` */
async function pressKey(client: TmuxClient, target: TypingTarget, key: string): Promise<void> {
  const { paneId } = target.pane
  const press = [tmuxCommand('copy-mode', '-q', '-t', paneId), tmuxCommand('send-keys', '-t', paneId, key)]
  await runGuarded(client, target, guarded(target.pane, '', ...press))
}

/**
 * No Enter before the text was seen: where it did not go into an input box there is a dialog, and Enter is its answer.
 */
async function awaitArrival(
  deps: Observing,
  request: SendRequest,
  before: readonly string[],
): Promise<{ arrival: Arrival; screen: string[] }> {
  const { agent, pane, payload } = request
  const deadline = performance.now() + SHOWN_TIMEOUT_MS
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(LONGEST_LOOK_MS, waitMs * 2)) {
    const screen = await captureScreen(deps.client, pane.paneId)
    const arrival = provenArrival(before, screen, payload)
    if (arrival !== undefined) return { arrival, screen }
    if (performance.now() >= deadline) {
      throw new TimeoutError(
        `${agent} did not show the text within ${SHOWN_TIMEOUT_MS} ms; it was not submitted`,
        {
          code: 'not-shown',
          hint: `look at it: gt peek ${agent}`,
          details: { agent, timeoutMs: SHOWN_TIMEOUT_MS, screen: lastLines(screen) },
        },
      )
    }
    await deps.clock.sleep(waitMs)
  }
}

async function submit(
  deps: Observing,
  request: SendRequest,
  arrival: Arrival,
  screen: readonly string[],
): Promise<Receipt> {
  const { agent, pane, payload } = request
  const { confirm } = request.options
  const at = () => new Date(deps.clock.now()).toISOString()
  await pressKey(deps.client, request, 'Enter')
  let attempts = 1
  if (confirm === undefined) {
    const how = arrival === 'folded' ? 'folded in its input' : 'in its input'
    return { kind: 'shown', at: at(), attempts, evidence: `the text was seen ${how}, and Enter was sent` }
  }
  for (let round = 1; round <= MAX_ENTERS; round++) {
    if (await confirm(CONFIRM_TIMEOUT_MS)) {
      return { kind: 'accepted', at: at(), attempts, evidence: 'the program reported the text' }
    }
    if (round === MAX_ENTERS) break
    // Once the text left the input, another Enter would answer whatever asks now.
    if (!isStillInInput(screen, await captureScreen(deps.client, pane.paneId), payload)) continue
    await pressKey(deps.client, request, 'Enter')
    attempts++
  }
  const last = await captureScreen(deps.client, pane.paneId)
  throw new TimeoutError(`${agent} did not report the text after ${attempts} × Enter`, {
    code: 'not-accepted',
    hint: `look at it: gt peek ${agent}`,
    details: { agent, attempts, timeoutMs: MAX_ENTERS * CONFIRM_TIMEOUT_MS, screen: lastLines(last) },
  })
}

/** Of a running turn, in the part of the screen where programs say so. */
export function isBusyScreen(screen: readonly string[], busyMarker: string): boolean {
  return busyMarker !== '' && lastLines(screen).some((line) => line.includes(busyMarker))
}

const LAST_LINES = 12

function lastLines(screen: readonly string[]): string[] {
  return cutBlanks(screen)
    .filter((line) => line !== '')
    .slice(-LAST_LINES)
}

/** Between interrupt keys: two in one write are another key (ESC ESC is Alt-Escape to many programs). */
const KEY_GAP_MS = 120

/** @throws ConflictError `session-dead`, `input-off`; OperationError `not-supported` when the runtime has no such keys */
export async function pressKeys(
  deps: Observing,
  target: TypingTarget,
  keys: readonly string[],
): Promise<void> {
  const { agent, pane } = target
  requireTypable(agent, pane)
  if (keys.length === 0) {
    throw new OperationError(`the runtime of ${agent} has no keys that interrupt a turn`, {
      code: 'not-supported',
      hint: 'give the runtime its interrupt keys in town.toml',
      details: { agent },
    })
  }
  for (const [index, key] of keys.entries()) {
    if (index > 0) await deps.clock.sleep(KEY_GAP_MS)
    await pressKey(deps.client, target, key)
  }
}
