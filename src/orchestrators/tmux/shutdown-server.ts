import { rmSync } from 'node:fs'
import { OperationError } from '../../domain/errors.js'
import { isAlive, type ProcessRef, processStart, signalTree, trySignal } from '../../system/process-table.js'
import { endTree, type PaneIdentity } from './end-tree.js'
import type { Observing } from './observe-panes.js'
import { type ProcessRecords, paneProcess } from './process-record.js'
import { askServerPid, sweepWatchers } from './sweep-watchers.js'
import { isTmuxFailure } from './tmux-client.js'

export interface ShutdownDeps extends Observing {
  records: ProcessRecords
}

const SERVER_EXIT_MS = 3000
const POLL_MS = 20

/**
 * Ends every pane's tree, also of windows that a person opened here, then the server, then what outlived an earlier server.
 *
 * @throws OperationError `still-running` naming what is left
 */
export async function shutdownServer(deps: ShutdownDeps, graceMs: number): Promise<void> {
  const panes = await everyPane(deps)
  const reports = await Promise.all(
    panes.map((pane) => endTree(paneProcess(pane.panePid, pane.serverPid), [pane], graceMs)),
  )
  await sweepWatchers(deps.client)
  const serverPid = await askServerPid(deps.client)
  await endServer(deps, serverPid)
  const left = deps.records.list()
  const orphans = await Promise.all(left.map(({ root, mark }) => endTree(root, [], graceMs, mark)))
  const survivors = [...reports, ...orphans].flatMap((report) => report.survivors)
  if (survivors.length > 0) throw leftOver(survivors)
  deps.records.forgetAll()
  rmSync(deps.client.socketPath, { force: true })
}

async function everyPane(deps: Observing): Promise<PaneIdentity[]> {
  try {
    const text = await deps.client.run(['list-panes', '-a', '-F', '#{pane_id} #{pane_pid} #{pid}'])
    return text.split('\n').flatMap((line) => {
      const [paneId = '', panePid, serverPid] = line.split(' ')
      return paneId === '' ? [] : [{ paneId, panePid: Number(panePid), serverPid: Number(serverPid) }]
    })
  } catch (error) {
    if (isTmuxFailure(error, 'no-server', 'server-lost', 'no-target')) return []
    throw error
  }
}

async function endServer(deps: Observing, serverPid: number | undefined): Promise<void> {
  const startTime = serverPid === undefined ? undefined : processStart(serverPid)
  try {
    await deps.client.run(['kill-server'])
  } catch (error) {
    if (!isTmuxFailure(error, 'no-server', 'server-lost')) throw error
  }
  if (serverPid === undefined || startTime === undefined) return
  const deadline = performance.now() + SERVER_EXIT_MS
  while (isAlive(serverPid, startTime) && performance.now() < deadline) await deps.clock.sleep(POLL_MS)
  if (!isAlive(serverPid, startTime)) return
  trySignal(serverPid, 'SIGKILL')
  const report = await signalTree({ members: [{ pid: serverPid, startTime }], graceMs: 0 })
  if (report.survivors.length > 0) throw leftOver(report.survivors)
}

function leftOver(survivors: readonly ProcessRef[]): OperationError {
  const pids = survivors.map((survivor) => survivor.pid)
  return new OperationError(`process ${pids.join(', ')} does not react to SIGKILL`, {
    code: 'still-running',
    hint: `ps -o pid,stat,wchan,args -p ${pids.join(',')}`,
    details: { pids },
  })
}
