import { readFileSync } from 'node:fs'
import { type ProcessEntry, type SignalReport, signalTree, snapshotProcesses } from './process-table.js'

/** Variables of a process, `NAME=value` each. Empty where they cannot be read: somebody else's, or a system without /proc. */
export function environmentOf(entry: ProcessEntry): string[] {
  try {
    return readFileSync(`/proc/${entry.pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/**
 * Ends every process that carries `mark` in its environment: the proof that we started it, however far it went from its
 * parents (setsid, nohup, a runner that was killed).
 *
 * @param mark - `NAME=value`
 */
export async function endMarked(mark: string, graceMs: number): Promise<SignalReport> {
  const members = snapshotProcesses().filter(
    (entry) => entry.pid !== process.pid && environmentOf(entry).includes(mark),
  )
  return signalTree({ root: undefined, members, graceMs })
}
