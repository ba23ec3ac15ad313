import type { Agent } from '../domain/agent.js'
import type { Rig } from '../domain/rig.js'
import { fillText, type Runtime } from '../domain/runtime.js'
import type { Town } from './town.js'

/** First line of every file that gt puts into a worktree: `gt done` refuses a commit that holds it. */
export const OUR_MARK = '<!-- made by gt for this worktree'

export const INSTRUCTION_FILES = ['AGENTS.md', 'CLAUDE.md', 'GEMINI.md'] as const

/**
 * Puts the instruction file into a worktree whose repository has none. A tracked one is never touched: that agent gets its
 * context from its plugin or its first prompt alone. Git does not see ours (info/exclude).
 */
export async function writeContext(town: Town, rig: Rig, agent: Agent, runtime: Runtime): Promise<void> {
  if (runtime.instructionFile === 'none' || agent.worktree === undefined) return
  const repositories = await town.repositories()
  const file = `${agent.worktree}/${runtime.instructionFile}`
  if (await repositories.isTracked(agent.worktree, runtime.instructionFile)) return
  if (town.host.exists(file) && town.host.readFile(file)?.startsWith(OUR_MARK) !== true) return
  const template = town.host.readFile(`${town.places.templatesDir}/agents.md`) ?? ''
  const text = fillText(template, { agent: agent.id, role: agent.role, rig: rig.name }) ?? template
  // Excluded first: a kill in between must not leave our file where `git add -A` finds it.
  await repositories.exclude(rig, [`/${runtime.instructionFile}`])
  town.host.writeFile(file, text)
}
