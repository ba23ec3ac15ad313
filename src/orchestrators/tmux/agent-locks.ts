import { join } from 'node:path'
import type { AgentId } from '../../domain/ids.js'
import { withFileLock } from '../../system/file-lock.js'

/**
 * `life`: start, stop. `keys`: what is typed into the session. A stop does not wait for a send. `route`: which backend it is
 * started in.
 */
export type LockKind = 'life' | 'keys' | 'route'

export interface AgentLocks {
  /** One at a time per agent and kind, across processes; callers of this process in the order they came. */
  hold<T>(agent: AgentId, kind: LockKind, timeoutMs: number, fn: () => Promise<T>): Promise<T>
  /** Not behind this process's own callers: `timeoutMs` is all it waits. */
  holdUrgently<T>(agent: AgentId, kind: LockKind, timeoutMs: number, fn: () => Promise<T>): Promise<T>
}

export function createAgentLocks(lockDir: string): AgentLocks {
  const lasts = new Map<string, Promise<unknown>>()
  const pathOf = (agent: AgentId, kind: LockKind) => join(lockDir, `${agentFileName(agent)}.${kind}.lock`)
  const holdUrgently: AgentLocks['holdUrgently'] = (agent, kind, timeoutMs, fn) => {
    const purpose = kind === 'keys' ? `typing into ${agent}` : `starting or stopping ${agent}`
    return withFileLock(pathOf(agent, kind), { timeoutMs, purpose }, fn)
  }
  return {
    holdUrgently,
    hold(agent, kind, timeoutMs, fn) {
      const path = pathOf(agent, kind)
      const turn = () => holdUrgently(agent, kind, timeoutMs, fn)
      const mine = (lasts.get(path) ?? Promise.resolve()).then(turn, turn)
      lasts.set(path, mine)
      const forget = () => {
        if (lasts.get(path) === mine) lasts.delete(path)
      }
      mine.then(forget, forget)
      return mine
    },
  }
}

/** "+" is not part of any agent id. */
export function agentFileName(agent: AgentId): string {
  return agent.replaceAll('/', '+')
}
