import { TimeoutError, UsageError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { SubmitProfile } from '../../domain/runtime.js'
import type { Receipt, SendOptions } from '../../ports/orchestrator.js'
import { captureScreen, captureView, cutBlanks, type ScreenView } from './capture-screen.js'
import type { Observing } from './observe-panes.js'
import { type Arrival, isLeft, isStillInInput, provenArrival } from './screen-proof.js'
import { isTmuxFailure } from './tmux-client.js'
import { paste, pressKey, requireTypable, type TypingTarget } from './typing-keys.js'

const SHOWN_TIMEOUT_MS = 5000
const FIRST_LOOK_MS = 15
const LONGEST_LOOK_MS = 200
/** Guide: a second Enter submits in every case seen; the third is for a machine under load. */
const MAX_ENTERS = 3
/** Between two of them, for the program's own report or for the text to leave its input. */
const SUBMIT_TIMEOUT_MS = 2000

export interface SendRequest extends TypingTarget {
  /** Made by `payloadOf`. */
  payload: string
  submit: SubmitProfile
  options: SendOptions
  /** For tests. */
  shownTimeoutMs?: number
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
  requireTypable(request)
  const before = await captureScreen(client, request.pane.paneId)
  await paste(client, request, request.payload)
  await deps.clock.sleep(request.submit.enterDelayMs)
  const arrival = await awaitArrival(deps, request, before)
  return request.options.confirm === undefined
    ? submitAndLook(deps, request, arrival)
    : submitAndConfirm(deps, request, request.options.confirm)
}

/**
 * No Enter before the text was seen: where it did not go into an input box there is a dialog, and Enter is its answer.
 */
async function awaitArrival(
  deps: Observing,
  request: SendRequest,
  before: readonly string[],
): Promise<Arrival> {
  const { agent, pane, payload, shownTimeoutMs = SHOWN_TIMEOUT_MS } = request
  const deadline = performance.now() + shownTimeoutMs
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(LONGEST_LOOK_MS, waitMs * 2)) {
    const screen = await captureScreen(deps.client, pane.paneId)
    const arrival = provenArrival(before, screen, payload)
    if (arrival !== undefined) return arrival
    if (performance.now() >= deadline) {
      throw new TimeoutError(
        `${agent} did not show the text within ${shownTimeoutMs} ms; it was not submitted`,
        {
          code: 'not-shown',
          hint: `look at it: gt peek ${agent}`,
          details: { agent, timeoutMs: shownTimeoutMs, screen: lastLines(screen) },
        },
      )
    }
    await deps.clock.sleep(waitMs)
  }
}

/**
 * Without the program's own word: Enter, and a look whether the text left the input. One that did not was lost (seen
 * with OpenCode on a busy machine), and the next text would be appended to it.
 */
async function submitAndLook(deps: Observing, request: SendRequest, arrival: Arrival): Promise<Receipt> {
  for (let attempts = 1; ; attempts++) {
    const waiting = await captureView(deps.client, request.pane.paneId)
    await pressKey(deps.client, request, 'Enter')
    if (await hasLeft(deps, request, waiting)) {
      const how = arrival === 'folded' ? 'folded in the input' : 'in the input'
      const evidence = `the text was seen ${how}, and left it after Enter`
      return { kind: 'shown', at: timeNow(deps), attempts, evidence }
    }
    if (attempts === MAX_ENTERS)
      throw await notAccepted(deps, request, attempts, 'the text is still in its input')
  }
}

async function hasLeft(deps: Observing, request: SendRequest, waiting: ScreenView): Promise<boolean> {
  const deadline = performance.now() + SUBMIT_TIMEOUT_MS
  for (
    let waitMs = FIRST_LOOK_MS;
    performance.now() < deadline;
    waitMs = Math.min(LONGEST_LOOK_MS, waitMs * 2)
  ) {
    await deps.clock.sleep(waitMs)
    try {
      const now = await captureView(deps.client, request.pane.paneId)
      if (isLeft(waiting, now, request.payload)) return true
    } catch (error) {
      // The session ended on what it was told.
      if (isTmuxFailure(error, 'no-target', 'no-server', 'server-lost')) return true
      throw error
    }
  }
  return false
}

async function submitAndConfirm(
  deps: Observing,
  request: SendRequest,
  confirm: NonNullable<SendOptions['confirm']>,
): Promise<Receipt> {
  const { client } = deps
  const { paneId } = request.pane
  const waiting = await captureScreen(client, paneId)
  await pressKey(client, request, 'Enter')
  let attempts = 1
  for (let round = 1; round <= MAX_ENTERS; round++) {
    if (await confirm(SUBMIT_TIMEOUT_MS)) {
      return { kind: 'accepted', at: timeNow(deps), attempts, evidence: 'the program reported the text' }
    }
    if (round === MAX_ENTERS) break
    // Once the text left the input, another Enter would answer whatever asks now.
    if (!isStillInInput(waiting, await captureScreen(client, paneId), request.payload)) continue
    await pressKey(client, request, 'Enter')
    attempts++
  }
  throw await notAccepted(deps, request, attempts, 'it did not report the text')
}

function timeNow(deps: Observing): string {
  return new Date(deps.clock.now()).toISOString()
}

async function notAccepted(
  deps: Observing,
  { agent, pane }: SendRequest,
  attempts: number,
  fact: string,
): Promise<TimeoutError> {
  const screen = await captureScreen(deps.client, pane.paneId)
  return new TimeoutError(`${agent} did not take the text after ${attempts} × Enter: ${fact}`, {
    code: 'not-accepted',
    hint: `look at it: gt peek ${agent}`,
    details: { agent, attempts, timeoutMs: MAX_ENTERS * SUBMIT_TIMEOUT_MS, screen: lastLines(screen) },
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
