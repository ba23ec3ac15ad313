import type { Sha } from '../ports/repositories.js'
import { DURABLE } from './git-environment.js'
import { gitFailure } from './git-failure.js'
import type { GitContext } from './repository.js'

/** An index of our own and the directories it belongs to. */
export interface Staging {
  cwd: string
  env: Record<string, string>
}

/** @returns paths that git could not add */
export async function stageAll(context: GitContext, staging: Staging): Promise<string[]> {
  const call = {
    ...staging,
    args: ['add', '--all', '--ignore-errors', '--sparse'],
    config: [...DURABLE, 'core.safecrlf=false', 'core.untrackedCache=false', 'add.ignoreErrors=true'],
  }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return []
  const changed = await context.git.attempt({ ...staging, args: ['diff-files', '--name-only', '-z'] })
  const others = await context.git.attempt({
    ...staging,
    args: ['ls-files', '--others', '--exclude-standard', '-z'],
  })
  if (changed.exitCode !== 0 || others.exitCode !== 0) throw gitFailure(call, result)
  const left = `${changed.stdout}${others.stdout}`.split('\0').filter((name) => name !== '')
  return [...new Set(left)]
}

export async function writeTree(context: GitContext, staging: Staging): Promise<Sha> {
  const call = { ...staging, args: ['write-tree'], config: DURABLE }
  const result = await context.git.attempt(call)
  if (result.exitCode === 0) return result.stdout.trim()
  // Conflicted paths that could not be added have no single version; objects the agent lost cannot be had back.
  const unmerged = await context.git.run({ ...staging, args: ['ls-files', '--unmerged', '-z'] })
  const names = [...new Set(unmerged.split('\0').map((line) => line.slice(line.indexOf('\t') + 1)))].filter(
    (n) => n !== '',
  )
  if (names.length > 0) {
    await context.git.run({
      ...staging,
      args: ['update-index', '--force-remove', '-z', '--stdin'],
      input: `${names.join('\0')}\0`,
    })
  }
  return (await context.git.run({ ...call, args: ['write-tree', '--missing-ok'] })).trim()
}
