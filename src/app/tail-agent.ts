import { NotFoundError } from '../domain/errors.js'
import type { AgentId } from '../domain/ids.js'
import { newLines } from '../domain/new-lines.js'
import { getAgent } from './find-entity.js'
import { peekAgent } from './peek-agent.js'
import type { Town } from './town.js'

const SCROLLBACK = 2_000
/** A screen that changes all the time is read this often at most. */
const MIN_GAP_MS = 250

/** @returns whether its backend tells lines as they are said; elsewhere its screen has to be looked at */
async function followSession(
  town: Town,
  agent: AgentId,
  options: { count: number; signal: AbortSignal },
  show: (line: string) => void,
): Promise<boolean> {
  try {
    const lines = await (await town.orchestrator()).follow?.(agent, options)
    if (lines === undefined) return false
    for await (const line of lines) show(line)
    return true
  } catch (error) {
    // No session: the screen that was kept is shown.
    if (error instanceof NotFoundError) return false
    throw error
  }
}

/**
 * The last lines of an agent's output, then, with `follow`, each new one. Driven by the backend's events: a silent session
 * costs nothing. Ends with the session.
 */
export async function tailAgent(
  town: Town,
  typed: string,
  options: { count: number; follow: boolean; signal: AbortSignal },
  show: (line: string) => void,
): Promise<void> {
  const agent = getAgent(town.ledger.read(), typed)
  if (options.follow && (await followSession(town, agent.id, options, show))) return
  let seen = (await peekAgent(town, agent.id, SCROLLBACK)).lines
  for (const line of seen.slice(-options.count)) show(line)
  if (!options.follow) return

  const orchestrator = await town.orchestrator()
  const read = async (): Promise<void> => {
    const now = await orchestrator.output(agent.id, { scrollbackLines: SCROLLBACK })
    for (const line of newLines(seen, now)) show(line)
    seen = now
  }
  try {
    for await (const event of orchestrator.events(options.signal)) {
      if (event.kind === 'backend-gone') return
      if (event.kind === 'session-gone' && event.agent === agent.id) return
      if (event.kind !== 'session-changed' || event.session.agent !== agent.id) continue
      await read()
      if (event.session.liveness.kind === 'stopped') return
      await town.clock.sleep(MIN_GAP_MS, options.signal).catch(() => {})
    }
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
  }
}
