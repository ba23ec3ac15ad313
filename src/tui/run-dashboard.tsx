import { render } from 'ink'
import { UsageError } from '../domain/errors.js'
import { Dashboard } from './dashboard.js'
import type { DashboardExit, DashboardIo, DashboardSource } from './dashboard-source.js'
import { frameSink } from './frame-sink.js'
import { openTerminal } from './terminal.js'
import { themeFor } from './theme.js'

export type { DashboardExit, DashboardIo, DashboardSource } from './dashboard-source.js'

/**
 * The live dashboard, until the person quits, the terminal hangs up or `io.until` fires. Leaves the terminal as it was.
 *
 * @throws UsageError code `no-terminal` when stdin or stdout is not one; whatever a defect in the dashboard threw
 */
export async function runDashboard(source: DashboardSource, io: DashboardIo): Promise<DashboardExit> {
  const { stdin, stdout, stderr, env, until } = io
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new UsageError('the dashboard needs a terminal', {
      code: 'no-terminal',
      hint: 'gt agent list --json',
    })
  }
  if (until?.aborted) return { kind: 'quit' }
  const terminal = openTerminal(stdout)
  const tree = (
    <Dashboard
      source={source}
      terminal={terminal}
      stdin={stdin}
      stdout={stdout}
      theme={themeFor(env)}
      now={io.now ?? Date.now}
    />
  )
  const ink = render(tree, {
    stdin,
    stdout: frameSink(stdout, (frame) => terminal.show(frame)),
    stderr,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
    isScreenReaderEnabled: false,
  })
  const leave = () => ink.unmount()
  until?.addEventListener('abort', leave)
  stdin.once('end', leave)
  try {
    await ink.waitUntilExit()
    return { kind: 'quit' }
  } finally {
    until?.removeEventListener('abort', leave)
    stdin.off('end', leave)
    ink.unmount()
    terminal.close()
  }
}
