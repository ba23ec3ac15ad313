import { spawn } from 'node:child_process'
import process from 'node:process'
import { type DashboardSource, runDashboard } from '../../src/tui/run-dashboard.js'
import { busyTown, NOW, sampleScreen } from './sample-town.js'

/** A dashboard over a town that never changes, for a real terminal. */
const source: DashboardSource = {
  watch: (onView) => {
    onView(busyTown())
    return () => {}
  },
  preview: async (agentId) => sampleScreen(agentId),
  diffStat: async ({ id }) => ({ added: id.length * 17, removed: id.length, commits: 2 }),
  reply: async (agentId, text) => `accepted by ${agentId}: ${text}`,
  stop: async (agentId) => `${agentId} is stopped`,
  sling: async (words) => {
    throw new Error(`no such rig: ${words}`)
  },
  answer: async (askId) => `${askId} is answered`,
  retryMerge: async (entryId) => `${entryId} is queued again`,
  attach: (agentId) =>
    new Promise((resolve) => {
      const script = `echo "in front of ${agentId}"; read answer; echo "heard $answer"; read more`
      spawn('sh', ['-c', script], { stdio: 'inherit' }).on('exit', () => resolve())
    }),
}

const { stdin, stdout, stderr, env } = process
const exit = await runDashboard(source, { stdin, stdout, stderr, env, now: () => NOW })
stdout.write(`left with ${exit.kind}\n`)
