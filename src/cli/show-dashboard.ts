import { answerAsk, answerText } from '../app/answer-ask.js'
import { stopAgent } from '../app/control-agent.js'
import { getAsk } from '../app/find-entity.js'
import { nudgeAgent } from '../app/nudge-agent.js'
import { peekAgent } from '../app/peek-agent.js'
import { retryMerge } from '../app/retry-merge.js'
import { kickMergeQueue } from '../app/run-merge-queue.js'
import { slingWork } from '../app/sling-work.js'
import type { Town } from '../app/town.js'
import { watchTown } from '../app/watch-town.js'
import { runInTerminal } from '../system/run-in-terminal.js'
import type { DashboardSource } from '../tui/run-dashboard.js'
import type { CliContext } from './command.js'
import { resolveWork } from './resolve-work.js'

/** The dashboard over a real town: what its keys do is what the commands of the same name do. */
export async function showDashboard(town: Town, context: CliContext, until?: AbortSignal): Promise<void> {
  const { runDashboard } = await import('../tui/run-dashboard.js')
  const { io } = context
  const env = context.color ? io.env : { ...io.env, NO_COLOR: '1' }
  await runDashboard(dashboardSource(town, context), {
    stdin: io.stdin,
    stdout: io.stdout,
    stderr: io.stderr,
    env,
    ...(until === undefined ? {} : { until }),
  })
}

export function dashboardSource(town: Town, context: CliContext): DashboardSource {
  return {
    watch(onView) {
      const stopped = new AbortController()
      void watchTown(town, stopped.signal, (view) => {
        if (view.queue.length > 0 && town.host.isDue('merge-kick', KICK_PERIOD_MS)) void kickMergeQueue(town)
        onView(view)
      }).catch((error: unknown) => context.note(`the town cannot be watched: ${String(error)}`))
      return () => stopped.abort()
    },
    preview: async (agent, lines) => {
      const orchestrator = await town.orchestrator()
      const id = agent as Parameters<typeof orchestrator.output>[0]
      try {
        return (
          await orchestrator.output(id, {
            escapes: true,
            ...(lines > SCREEN_ROWS ? { scrollbackLines: lines - SCREEN_ROWS } : {}),
          })
        ).slice(-lines)
      } catch {
        return (await peekAgent(town, agent, 0)).lines.slice(-lines)
      }
    },
    diffStat: async (agent) => {
      if (agent.worktree === undefined || agent.base === undefined) return undefined
      const repositories = await town.repositories()
      return repositories.diffStat(agent.worktree, agent.base).catch(() => undefined)
    },
    reply: async (agent, text) => {
      const { receipt } = await nudgeAgent(town, agent, text)
      return `${receipt.kind}: ${receipt.evidence}`
    },
    stop: async (agent) => {
      const stopped = await stopAgent(town, agent)
      return stopped.wasRunning ? `${stopped.agent} is stopped` : `${stopped.agent} was not running`
    },
    sling: async (words) => {
      const said: string[] = []
      // The screen is the dashboard's: remarks go into its message line.
      const quiet = { ...context, note: (line: string) => void said.push(line) }
      const work = await resolveWork(quiet, splitWords(words), false)
      const { slung, failed } = await slingWork(town, { beads: work.beads, rig: work.rig })
      if (failed[0]) throw failed[0].error
      return [...said, ...slung.map((s) => `${s.bead} → ${s.agent}`)].join(', ')
    },
    retryMerge: async (entry) => {
      const merge = retryMerge(town, entry)
      await kickMergeQueue(town)
      return `${merge.shownId} is queued again`
    },
    answer: async (id, words) => {
      const { questions } = getAsk(town.ledger.read(), id)
      // One line for several questions.
      const { ask } = await answerAsk(town, id, questions.length > 1 ? words.split(';') : [words])
      return `${ask.agent} has its answer: ${answerText(ask.answer)}`
    },
    attach: async (agent) => {
      const orchestrator = await town.orchestrator()
      const { argv } = await orchestrator.attachCommand(
        agent as Parameters<typeof orchestrator.attachCommand>[0],
      )
      await runInTerminal(argv)
    },
  }
}

/** An open dashboard sets a queue going whose worker died; a worker that just starts gets this long to say so. */
const KICK_PERIOD_MS = 2_000

/** Rows of a session's screen unless somebody resized it; a longer preview takes the rest from its history. */
const SCREEN_ROWS = 48

/** Words as a person types them into one line: quotes keep a sentence together. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  )
}
