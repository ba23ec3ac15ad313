import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentId } from '../../domain/ids.js'
import { findProcess, isAlive, type ProcessRef, processStart } from '../../system/process-table.js'
import { agentFileName } from './agent-locks.js'

/**
 * Which process `spawn` started, kept outside of tmux: when the tmux server is killed, a program that ignores the hangup
 * lives on without a terminal, and must be ended before another one works in the same worktree.
 */
export interface ProcessRecords {
  write(agent: AgentId, panePid: number, mark: string | undefined): Promise<void>
  find(agent: AgentId): SessionProcess | undefined
  forget(agent: AgentId): void
  list(): SessionProcess[]
  forgetAll(): void
}

export interface SessionProcess {
  /** The recorded process, if it still lives. */
  root?: ProcessRef
  /** What its session's processes have in their environment, also those that outlive it. */
  mark?: string
}

const SUFFIX = '.process'

export function createProcessRecords(lockDir: string): ProcessRecords {
  const fileOf = (agent: AgentId) => join(lockDir, agentFileName(agent) + SUFFIX)
  const files = () => {
    try {
      return readdirSync(lockDir)
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => join(lockDir, name))
    } catch {
      return []
    }
  }
  return {
    async write(agent, panePid, mark) {
      const startTime = processStart(panePid)
      if (startTime === undefined) return // over already
      mkdirSync(lockDir, { recursive: true, mode: 0o700 })
      const draft = `${fileOf(agent)}.draft`
      await writeFile(
        draft,
        JSON.stringify({ formatVersion: 1, pid: panePid, startTime, session: panePid, mark }),
        { mode: 0o600 },
      )
      await rename(draft, fileOf(agent))
    },
    find: (agent) => read(fileOf(agent)),
    forget: (agent) => rmSync(fileOf(agent), { force: true }),
    list: () => files().flatMap((file) => read(file) ?? []),
    forgetAll: () => {
      for (const file of files()) rmSync(file, { force: true })
    },
  }
}

function read(file: string): SessionProcess | undefined {
  try {
    const { pid, startTime, mark } = JSON.parse(readFileSync(file, 'utf8')) as {
      pid?: unknown
      startTime?: unknown
      mark?: unknown
    }
    if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined
    return {
      ...(isAlive(pid, startTime) ? { root: { pid, startTime } } : {}),
      ...(typeof mark === 'string' && mark.length > 'GT_SESSION='.length ? { mark } : {}),
    }
  } catch {
    return undefined // none, or damaged by a crash of the machine, which ended the process as well
  }
}

/** The live process of a pane, proven to be the server's own child. */
export function paneProcess(panePid: number, serverPid: number): ProcessRef | undefined {
  const found = findProcess(panePid)
  return found?.parentPid === serverPid ? { pid: found.pid, startTime: found.startTime } : undefined
}
