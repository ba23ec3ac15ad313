import type { Finding } from '../../domain/finding.js'
import { isOlder, LEAST_NODE, neededTools, type Tool } from '../../domain/tools.js'
import type { Host } from '../../ports/host.js'
import { defineCheck } from '../check.js'

/** OpenCode takes its time on a busy machine. */
const ASK_TIMEOUT_MS = 30_000

/** The programs that gt runs, and their versions. */
export default defineCheck({
  group: 'tools',
  async run(patient) {
    const found = await Promise.all(
      neededTools(patient.town?.config).map((tool) => askTool(patient.host, tool)),
    )
    const versions = found.flatMap(({ said }) => said ?? [])
    const { nodeVersion } = patient.host
    return [
      { id: 'tools', severity: 'ok', what: [...versions, `node ${nodeVersion}`].join(', ') },
      ...(isOlder(nodeVersion, LEAST_NODE)
        ? [
            problem(
              'node',
              `node ${nodeVersion} is older than ${LEAST_NODE}`,
              `install Node ${LEAST_NODE} or newer`,
            ),
          ]
        : []),
      ...found.flatMap(({ finding }) => finding ?? []),
    ]
  },
})

async function askTool(host: Host, tool: Tool): Promise<{ said?: string; finding?: Finding }> {
  const answer = await host.ask(tool.argv, { timeoutMs: ASK_TIMEOUT_MS })
  if (answer.kind === 'absent')
    return { finding: problem(tool.name, `${tool.name} is not on PATH`, tool.install) }
  const version = answer.kind === 'said' ? /\d+\.\d+(\.\d+)?[a-z]?/.exec(answer.stdout)?.[0] : undefined
  if (version === undefined) {
    const what = `${tool.name} does not say its version`
    return { finding: problem(tool.name, what, `try: ${tool.argv.join(' ')}`) }
  }
  const said = `${tool.name} ${version}`
  if (isOlder(version, tool.least)) {
    return { said, finding: problem(tool.name, `${said} is older than ${tool.least}`, tool.install) }
  }
  if (tool.tested === undefined || tool.tested === version) return { said }
  const what = `${said} is not the version that gt is tested with (${tool.tested})`
  return { said, finding: { id: `tool-${tool.name}`, severity: 'note', what } }
}

function problem(name: string, what: string, hint: string): Finding {
  return { id: `tool-${name}`, severity: 'warning', what, hint }
}
