import type { Finding } from '../../domain/finding.js'
import type { Rig } from '../../domain/rig.js'
import { defineCheck } from '../check.js'
import type { Town } from '../town.js'

const ASK_TIMEOUT_MS = 15_000

/** Whether the repositories are where town.toml says, and their remotes answer. Nothing is fetched. */
export default defineCheck({
  group: 'rigs',
  async run({ town }) {
    if (town === undefined) return []
    const rigs = Object.values(town.config.rigs)
    const findings = (await Promise.all(rigs.map((rig) => checkRig(town, rig)))).flat()
    if (findings.length > 0 || rigs.length === 0) return findings
    return [{ id: 'rigs', severity: 'ok', what: `${rigs.map(({ name }) => name).join(', ')}: reachable` }]
  },
})

async function checkRig(town: Town, rig: Rig): Promise<Finding[]> {
  const { source } = rig
  if (source.kind === 'path') {
    const found = town.host.exists(source.path)
      ? await (await town.repositories()).findClone(source.path)
      : undefined
    if (found === undefined)
      return [problem(rig, `${source.path} is no git repository any more`, 'gt rig show')]
  }
  const head = await localHead(town, rig)
  if (head !== undefined) return [problem(rig, head, `gt rig show ${rig.name}`)]
  if (source.kind === 'path') return []
  const answer = await town.host.ask(
    ['git', 'ls-remote', '--exit-code', source.url, `refs/heads/${rig.branch}`],
    {
      timeoutMs: ASK_TIMEOUT_MS,
    },
  )
  if (answer.kind === 'said' && answer.exitCode === 0) return []
  if (answer.kind === 'said' && answer.exitCode === 2) {
    return [problem(rig, `${source.url} has no branch ${rig.branch}`, `gt rig show ${rig.name}`)]
  }
  const why = answer.kind === 'said' ? (answer.stderr.trim().split('\n').at(-1) ?? '') : 'it does not answer'
  return [problem(rig, `${source.url} cannot be reached: ${why}`, `git ls-remote ${source.url}`)]
}

/** @returns what is wrong with the repository here */
async function localHead(town: Town, rig: Rig): Promise<string | undefined> {
  try {
    await (await town.repositories()).targetHead(rig, { offline: true })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function problem(rig: Rig, what: string, hint: string): Finding {
  return { id: 'rig', severity: 'warning', what: `${rig.name}: ${what}`, where: rig.name, hint }
}
