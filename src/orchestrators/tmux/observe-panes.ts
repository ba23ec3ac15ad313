import { randomBytes } from 'node:crypto'
import type { AgentId } from '../../domain/ids.js'
import type { Clock } from '../../ports/clock.js'
import type { Liveness, ObservedSession } from '../../ports/orchestrator.js'
import { findProcess, trySignal } from '../../system/process-table.js'
import { AGENT_OPTION, type PaneRecord, paneFormat } from './parse-panes.js'
import { RETIRED_SESSION_PREFIX } from './server-setup.js'
import { isTmuxFailure, type TmuxClient } from './tmux-client.js'

export interface Observing {
  client: TmuxClient
  clock: Clock
}

/** How the question reaches tmux: by a process of its own, or by the control client of a watcher. */
export type AskPanes = (args: readonly string[]) => Promise<string>

/**
 * @param agent - only this one's pane; left out: all agents'. No server is no panes, and neither is a server that is about
 * to leave because it has no session ("no current target").
 */
export async function observePanes(deps: Observing, agent?: AgentId): Promise<PaneRecord[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askPanes((args) => deps.client.run(args), deps.clock, agent)
    } catch (error) {
      if (isTmuxFailure(error, 'no-server', 'no-target')) return []
      // A server that just lost its last session takes a connection and drops it; a moment later it is gone.
      if (!isTmuxFailure(error, 'server-lost') || attempt === LEAVING_TRIES) throw error
      await deps.clock.sleep(LEAVING_WAIT_MS * attempt)
    }
  }
}

const LEAVING_TRIES = 5
const LEAVING_WAIT_MS = 30

export async function findPane(deps: Observing, agent: AgentId): Promise<PaneRecord | undefined> {
  return (await observePanes(deps, agent))[0]
}

/**
 * tmux 3.3a (Debian) loses about a third of all SIGCHLD: the pane is dead, its exit status unknown. A SIGCHLD from us
 * makes the server collect it; it takes a moment. Can go with tmux >= 3.5.
 */
const STATUS_WAITS_MS = [10, 30, 80]

export async function askPanes(ask: AskPanes, clock: Clock, agent?: AgentId): Promise<PaneRecord[]> {
  let panes = await askOnce(ask, agent)
  for (const waitMs of STATUS_WAITS_MS) {
    const lost = panes.filter((pane) => hasLostStatus(pane) || isLeaving(pane))
    if (lost.length === 0) break
    for (const serverPid of new Set(lost.map((pane) => pane.serverPid))) trySignal(serverPid, 'SIGCHLD')
    await clock.sleep(waitMs)
    panes = await askOnce(ask, agent)
  }
  return panes
}

async function askOnce(ask: AskPanes, agent: AgentId | undefined): Promise<PaneRecord[]> {
  const { format, parse } = paneFormat(randomBytes(9).toString('hex'), { withProfile: agent !== undefined })
  const filter = agent === undefined ? `#{${AGENT_OPTION}}` : `#{==:#{${AGENT_OPTION}},${agent}}`
  const panes = parse(await ask(['list-panes', '-a', '-f', filter, '-F', format]))
  return onePerAgent(panes)
}

/** While a dead session is being replaced, two have the agent's name on them; the one in its place counts. */
function onePerAgent(panes: readonly PaneRecord[]): PaneRecord[] {
  const chosen = new Map<string, PaneRecord>()
  for (const pane of panes) {
    if (pane.agent === '' || pane.sessionName.startsWith(RETIRED_SESSION_PREFIX)) continue
    if (!chosen.has(pane.agent) || pane.sessionName === pane.agent) chosen.set(pane.agent, pane)
  }
  return [...chosen.values()]
}

/** Its process is gone and tmux has not seen it yet, or something else holds its terminal: a moment later it is clear which. */
function isLeaving(pane: PaneRecord): boolean {
  return !pane.isDead && findProcess(pane.panePid)?.parentPid !== pane.serverPid
}

function hasLostStatus(pane: PaneRecord): boolean {
  if (!pane.isDead || pane.exitCode !== undefined || pane.signal !== undefined) return false
  // A program that only closed its terminal has no status yet.
  return findProcess(pane.panePid)?.parentPid !== pane.serverPid
}

/**
 * tmux calls a pane dead when its terminal was closed, which anything that the program left behind keeps open. So the
 * process is looked at, too: it is ours as long as the server is its parent (a zombie is gone).
 */
export function livenessOf(pane: PaneRecord): Liveness {
  if (pane.isDead) {
    const how =
      pane.signal !== undefined
        ? `was ended by ${pane.signal}`
        : pane.exitCode !== undefined
          ? `exited with code ${pane.exitCode}`
          : 'closed its terminal'
    return {
      kind: 'stopped',
      ...(pane.exitCode === undefined ? {} : { exitCode: pane.exitCode }),
      ...(pane.signal === undefined ? {} : { signal: pane.signal }),
      ...(pane.diedAtS === undefined ? {} : { at: isoTime(pane.diedAtS) }),
      why: `its program ${how}`,
    }
  }
  if (findProcess(pane.panePid)?.parentPid === pane.serverPid) return { kind: 'running', pid: pane.panePid }
  return { kind: 'stopped', why: 'its program is gone; something that it started still holds the terminal' }
}

export function sessionOf(pane: PaneRecord): ObservedSession {
  return {
    // Only `spawn` sets the option that this comes from, and from an AgentId.
    agent: pane.agent as AgentId,
    backend: 'tmux',
    liveness: livenessOf(pane),
    location: `pane ${pane.paneId}`,
    title: pane.title,
    command: pane.command,
    lastActivityAt: isoTime(pane.activeAtS),
    startedAt: isoTime(pane.createdAtS),
  }
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
