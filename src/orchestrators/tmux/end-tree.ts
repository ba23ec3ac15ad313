import { environmentOf } from '../../system/end-marked.js'
import {
  descendantsIn,
  type ProcessEntry,
  type ProcessRef,
  type SignalReport,
  signalTree,
  snapshotProcesses,
} from '../../system/process-table.js'

/** The part of a pane's record that tells its processes from others. */
export interface PaneIdentity {
  paneId: string
  panePid: number
  serverPid: number
}

/**
 * Ends a program, everything below it, what else is of the panes' terminal sessions, and what carries the mark of its
 * session: a tool of opencode leads a terminal session of its own and outlives it.
 *
 * @param root - the program itself, while it lives
 * @param mark - `NAME=value` that only processes of this session have in their environment
 */
export function endTree(
  root: ProcessRef | undefined,
  panes: readonly PaneIdentity[],
  graceMs: number,
  mark?: string,
): Promise<SignalReport> {
  const entries = snapshotProcesses()
  const members = [
    ...(root === undefined ? [] : descendantsIn(entries, root.pid)),
    ...panes.flatMap((pane) => entries.filter((entry) => isOfPane(entry, pane))),
    ...(mark === undefined ? [] : entries.filter((entry) => environmentOf(entry).includes(mark))),
  ]
  return signalTree({ root, members, graceMs })
}

/**
 * A process whose parents are gone still belongs to the terminal session that its pane's process led. That number could
 * by now be another's, so its environment must name the pane, too.
 */
function isOfPane(entry: ProcessEntry, pane: PaneIdentity): boolean {
  if (entry.sessionId !== pane.panePid) return false
  if (entry.pid === pane.panePid) return entry.parentPid === pane.serverPid
  const variables = environmentOf(entry)
  return (
    variables.includes(`TMUX_PANE=${pane.paneId}`) &&
    variables.some(
      (variable) => variable.startsWith('TMUX=') && variable.split(',')[1] === String(pane.serverPid),
    )
  )
}
