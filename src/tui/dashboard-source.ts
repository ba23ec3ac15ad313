import type { AgentView, TownView } from '../app/town-view.js'

/** What the dashboard needs from the town. Every rejection is shown to the person; none ends the dashboard. */
export interface DashboardSource {
  /** Calls back with the first view at once and with every change. @returns stop */
  watch(onView: (view: TownView) => void): () => void
  /** Screen text of an agent now, newest last; may contain SGR colour escapes. */
  preview(agentId: string, lines: number): Promise<string[]>
  diffStat(agent: AgentView): Promise<DiffStat | undefined>
  /** Resolves to a receipt sentence. */
  reply(agentId: string, text: string): Promise<string>
  stop(agentId: string): Promise<string>
  /** @param words - as typed after `gt sling` */
  sling(words: string): Promise<string>
  /** @param entryId - `Merge.id` */
  retryMerge(entryId: string): Promise<string>
  /** @param words - as typed after `gt answer ID`; resolves when the session said that it has the answer */
  answer(askId: string, words: string): Promise<string>
  /** Gives the terminal away; resolves when the person came back. */
  attach(agentId: string): Promise<void>
}

export interface DiffStat {
  added: number
  removed: number
  commits: number
}

export type DashboardExit = { kind: 'quit' }

export interface DashboardIo {
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970; for ages and the clock in the header. */
  now?: () => number
  /** Ends the dashboard as `q` does. */
  until?: AbortSignal
}
