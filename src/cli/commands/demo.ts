import { defineCommand } from '../command.js'

export default defineCommand({
  name: 'demo',
  group: 'set-up',
  summary:
    'show the main job on a throw-away town: three real OpenCode agents, a scripted model, three merged commits',
  about:
    'Needs tmux, git and opencode; no API key and no network. The model is a script that ships with gt, without AI.',
  options: [
    { flags: '--keep', about: 'leave the town and the project for exploring' },
    { flags: '--plain', about: 'a progress log instead of the dashboard' },
  ],
  examples: ['gt demo', 'gt demo --keep'],
  async run(context, _args, options) {
    const { runDemo } = await import('../../demo/run-demo.js')
    const { io } = context
    const withDashboard = !context.json && options.plain !== true && io.stdout.isTTY && io.stdin.isTTY
    const started = performance.now()
    const result = await runDemo({
      packageDir: io.packageDir,
      pid: io.pid,
      env: io.env,
      signal: io.signal,
      keep: options.keep === true,
      say: (line) =>
        context.note(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)}s  ${line}`),
      ...(withDashboard
        ? {
            dashboard: async (town, until) =>
              (await import('../show-dashboard.js')).showDashboard(town, context, until),
          }
        : {}),
    })
    const ok = result.merged.length === 3 && result.testsGreen && result.leftRunning === 0
    return {
      data: result,
      text: [
        `${result.merged.length} beads became ${result.merged.length} merged commits:`,
        ...result.merged.map((one) => `  ${one.bead}  ${one.sha.slice(0, 10)}  ${one.subject}`),
        `tests on main: ${result.testsGreen ? 'green' : 'RED'} · sessions left running: ${result.leftRunning}`,
        ...(ok ? ['next, on your own repository: gt sling "what to do" inside a clone'] : []),
      ],
      exitCode: ok ? 0 : 1,
    }
  },
})
