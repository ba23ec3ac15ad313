import { agentFrom } from '../domain/agent.js'
import { ConflictError } from '../domain/errors.js'
import { withoutRig } from '../domain/town-toml.js'
import { getRig } from './find-entity.js'
import type { Town } from './town.js'

/**
 * Takes a repository out of management. Its beads stay; the user's clone loses our lines in info/exclude; the town's own
 * bare clone stays on disk, because salvage refs live in it.
 * @returns where the bare clone was left, for URL rigs
 * @throws ConflictError code `rig-busy` while agents of it hold work
 */
export async function removeRig(
  town: Town,
  name: string,
  options: { dryRun: boolean },
): Promise<{ rig: string; left?: string }> {
  const rig = getRig(town, name)
  const busy = town.ledger
    .read()
    .list({ kind: 'agent' })
    .map(agentFrom)
    .filter((agent) => agent.rig === rig.name && (agent.hook !== undefined || agent.worktree !== undefined))
  if (busy.length > 0) {
    throw new ConflictError(
      `${busy.length} agents of ${rig.name} still hold work: ${busy.map((agent) => agent.id).join(', ')}`,
      {
        code: 'rig-busy',
        hint: busy.some((agent) => agent.hook !== undefined)
          ? `take it back: gt unsling ${busy.flatMap((agent) => agent.hook ?? []).join(' ')}`
          : `their worktrees are still there: gt agent remove ${busy[0]?.id ?? ''}`,
      },
    )
  }
  const left = rig.source.kind === 'url' ? { left: town.places.rigDir(rig.name) } : {}
  if (options.dryRun) return { rig: rig.name, ...left }
  const repositories = await town.repositories()
  await repositories.unexclude(rig)
  await town.editConfig((text) => withoutRig(text, rig.name))
  return { rig: rig.name, ...left }
}
