import type { TownView } from '../../src/app/town-view.js'
import { type DashboardExit, type DashboardSource, runDashboard } from '../../src/tui/run-dashboard.js'
import { FakeTerminal } from './fake-terminal.js'
import { NOW, sampleScreen } from './sample-town.js'

export interface OpenDashboard extends AsyncDisposable {
  terminal: FakeTerminal
  /** Calls of the source with side effects, in order: `reply proj/toast hello`. */
  calls: string[]
  previews: { agentId: string; lines: number }[]
  isWatched(): boolean
  show(view: TownView): void
  ended: Promise<DashboardExit>
}

interface Wishes {
  columns?: number
  rows?: number
  env?: Record<string, string>
  source?: Partial<DashboardSource>
}

/** A dashboard on a fake terminal that shows its first frame; ended and cleaned up with `await using`. */
export async function openDashboard(view: TownView | undefined, wishes: Wishes = {}): Promise<OpenDashboard> {
  const terminal = new FakeTerminal(wishes.columns ?? 100, wishes.rows ?? 30)
  const calls: string[] = []
  const previews: { agentId: string; lines: number }[] = []
  let listener: ((view: TownView) => void) | undefined
  const note = async (call: string) => {
    calls.push(call)
    return `done: ${call}`
  }
  const source: DashboardSource = {
    watch: (onView) => {
      listener = onView
      if (view) onView(view)
      return () => {
        listener = undefined
      }
    },
    preview: async (agentId, lines) => {
      previews.push({ agentId, lines })
      return sampleScreen(agentId)
    },
    diffStat: async () => ({ added: 120, removed: 14, commits: 3 }),
    reply: (agentId, text) => note(`reply ${agentId} ${text}`),
    stop: (agentId) => note(`stop ${agentId}`),
    sling: (words) => note(`sling ${words}`),
    answer: (askId, words) => note(`answer ${askId} ${words}`),
    retryMerge: (entryId) => note(`retry ${entryId}`),
    attach: async (agentId) => {
      calls.push(`attach ${agentId}`)
    },
    ...wishes.source,
  }
  const stop = new AbortController()
  const { stdin, stdout } = terminal
  const env = wishes.env ?? { LANG: 'en_GB.UTF-8', TERM: 'xterm-256color' }
  const ended = runDashboard(source, {
    stdin,
    stdout,
    stderr: stdout,
    env,
    now: () => NOW,
    until: stop.signal,
  })
  await terminal.shows(view === undefined ? 'Reading the town' : 'Agents (')
  return {
    terminal,
    calls,
    previews,
    ended,
    isWatched: () => listener !== undefined,
    show: (next) => listener?.(next),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}
