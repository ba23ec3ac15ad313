import { readdirSync, readFileSync } from 'node:fs'
import { pid as ownPid } from 'node:process'
import { isAlive, processStart, trySignal } from '../../system/process-table.js'
import { isTmuxFailure, type TmuxClient } from './tmux-client.js'

/** Set by each watcher's control client, so that its arguments name the watcher. */
export const WATCHER_OPTION = '@gt_watcher'

export function watcherToken(): string {
  return `${ownPid}:${processStart(ownPid) ?? ''}`
}

/**
 * Ends control clients whose watcher is dead. tmux 3.3a lets a client go only after all of its output was written, which
 * for a watcher that was killed with an answer under way is never; the client, the hidden session and the server would stay.
 * Only where /proc is: elsewhere `shutdown` is what ends them.
 */
export async function sweepWatchers(client: TmuxClient): Promise<void> {
  const orphans = orphanClients(client.socketPath)
  if (orphans.length === 0) return
  const serverPid = await askServerPid(client)
  // A server that a watcher started has its arguments.
  for (const pid of orphans) if (pid !== serverPid) trySignal(pid, 'SIGKILL')
}

function orphanClients(socketPath: string): number[] {
  return processIds().filter((pid) => {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'tmux: client') return false
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      const [watcher = '', startTime = ''] = (argv[argv.indexOf(WATCHER_OPTION) + 1] ?? '').split(':')
      return (
        argv.includes(WATCHER_OPTION) && argv.includes(socketPath) && !isAlive(Number(watcher), startTime)
      )
    } catch {
      return false
    }
  })
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** @returns undefined when no server runs */
export async function askServerPid(client: TmuxClient): Promise<number | undefined> {
  try {
    return Number(await client.run(['display-message', '-p', '#{pid}']))
  } catch (error) {
    if (isTmuxFailure(error, 'no-server', 'server-lost')) return undefined
    throw error
  }
}
