import { readFileSync } from 'node:fs'
import { pid as ownPid } from 'node:process'
import { OperationError } from '../../domain/errors.js'
import { endMarked, environmentOf } from '../../system/end-marked.js'
import { type SignalReport, signalTree, snapshotProcesses } from '../../system/process-table.js'
import { clientOf, within } from './server-client.js'
import { isServerAlive, nameOfServer, type ServerRecord } from './server-record.js'

export const SERVER_MARK = 'GT_OPENCODE_SERVER'

const DISPOSE_TIMEOUT_MS = 5_000
/** From SIGTERM to SIGKILL. */
const EXIT_GRACE_MS = 5_000
const ORPHAN_GRACE_MS = 1_000

/**
 * Ends a server of ours and everything that it ever started: asks it to dispose (which ends tools and flushes plugins; a
 * signal alone does not), then signals, proven by pid and start time and by the mark in the environment. A server that is
 * gone already leaves tools behind: they are found by the mark.
 *
 * @throws OperationError code `still-running`
 */
export async function endServer(server: ServerRecord): Promise<SignalReport> {
  if (server.external) return { signalled: [], survivors: [] }
  if (isServerAlive(server)) {
    // A wedged server does not answer; signals do the rest.
    await clientOf(server)
      .global.dispose(within(DISPOSE_TIMEOUT_MS))
      .catch(() => undefined)
  }
  const report = await signalMarked(server)
  if (report.survivors.length === 0) return report
  const pids = report.survivors.map(({ pid }) => pid)
  throw new OperationError(`${nameOfServer(server)} could not be ended: process ${pids.join(', ')} stays`, {
    code: 'still-running',
    hint: `ps -o pid,stat,wchan,args -p ${pids.join(',')}`,
    details: { pids },
  })
}

async function signalMarked(server: ServerRecord): Promise<SignalReport> {
  const mark = `${SERVER_MARK}=${server.mark}`
  if (!isServerAlive(server) || server.pid === undefined || server.startTime === undefined)
    return endMarked(mark, ORPHAN_GRACE_MS)
  const root = { pid: server.pid, startTime: server.startTime }
  const members = snapshotProcesses().filter(
    (entry) => entry.pid !== ownPid && entry.pid !== root.pid && environmentOf(entry).includes(mark),
  )
  return signalTree({ root, members, graceMs: EXIT_GRACE_MS })
}

/** Resident memory; undefined where the system does not tell. */
export function residentBytes(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024
  } catch {
    return undefined
  }
}
