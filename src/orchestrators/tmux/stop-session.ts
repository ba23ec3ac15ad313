import { OperationError } from '../../domain/errors.js'
import type { AgentId } from '../../domain/ids.js'
import type { StopReport } from '../../ports/orchestrator.js'
import type { ProcessRef } from '../../system/process-table.js'
import { captureScreen } from './capture-screen.js'
import { endTree } from './end-tree.js'
import { findPane, livenessOf, type Observing } from './observe-panes.js'
import type { PaneRecord } from './parse-panes.js'
import { type ProcessRecords, paneProcess } from './process-record.js'
import { isTmuxFailure, type TmuxClient } from './tmux-client.js'

export interface StopDeps extends Observing {
  records: ProcessRecords
}

/** Called under the agent's `life` lock. */
export async function stopSession(deps: StopDeps, agent: AgentId, graceMs: number): Promise<StopReport> {
  const { client, records } = deps
  const pane = await findPane(deps, agent)
  if (pane === undefined) return stopOrphan(records, agent, graceMs)

  const wasRunning = livenessOf(pane).kind === 'running'
  const before = await screenOf(client, pane)
  const { mark } = records.find(agent) ?? {}
  const report = await endTree(paneProcess(pane.panePid, pane.serverPid), [pane], graceMs, mark)
  // Programs say on their way out how they can be resumed.
  const after = wasRunning ? await screenOf(client, pane) : before
  if (report.survivors.length > 0) throw stillRunning(agent, report.survivors)
  await killSession(client, pane)
  records.forget(agent)
  const screen =
    pane.isAlternateScreen && wasRunning ? [...before, ...after] : after.length > 0 ? after : before
  return { kind: wasRunning ? 'stopped' : 'alreadyGone', screen, signalled: report.signalled }
}

/** The tmux server was killed; the program or what it started may live. */
async function stopOrphan(records: ProcessRecords, agent: AgentId, graceMs: number): Promise<StopReport> {
  const { root, mark } = records.find(agent) ?? {}
  const report = await endTree(root, [], graceMs, mark)
  if (report.survivors.length > 0) throw stillRunning(agent, report.survivors)
  records.forget(agent)
  return { kind: root === undefined ? 'alreadyGone' : 'stopped', screen: [], signalled: report.signalled }
}

async function screenOf(client: TmuxClient, pane: PaneRecord): Promise<string[]> {
  try {
    return await captureScreen(client, pane.paneId)
  } catch (error) {
    if (isTmuxFailure(error, 'no-target', 'no-server', 'server-lost')) return []
    throw error
  }
}

async function killSession(client: TmuxClient, pane: PaneRecord): Promise<void> {
  try {
    await client.run(['kill-session', '-t', `=${pane.sessionName}`])
  } catch (error) {
    // Gone is what was asked for; with its last session the server goes, too.
    if (!isTmuxFailure(error, 'no-target', 'no-server', 'server-lost')) throw error
  }
}

function stillRunning(agent: AgentId, survivors: readonly ProcessRef[]): OperationError {
  const pids = survivors.map((survivor) => survivor.pid)
  return new OperationError(
    `${agent} could not be ended: process ${pids.join(', ')} does not react to SIGKILL`,
    {
      code: 'still-running',
      hint: `ps -o pid,stat,wchan,args -p ${pids.join(',')}`,
      details: { agent, pids },
    },
  )
}
