import { join } from 'node:path'
import type { Sha } from '../ports/repositories.js'
import { factsOf } from './facts-of.js'
import { DURABLE } from './git-environment.js'
import { gitFailure } from './git-failure.js'
import type { GitContext } from './repository.js'

/** An index of our own and the directories it belongs to. */
export interface Staging {
  cwd: string
  env: Record<string, string>
  /** Grows by what turns off filters that fail; git may read files again at any later step. */
  config: string[]
}

/** A repository with more failing filters than this has another problem. */
const MAX_FILTERS = 5

/** @returns paths that git could not add */
export async function stageAll(context: GitContext, staging: Staging): Promise<string[]> {
  for (let filters = 0; ; filters++) {
    const config = [...DURABLE, ...staging.config, 'core.safecrlf=false', 'core.untrackedCache=false']
    const call = { ...staging, args: ['add', '--all', '--ignore-errors', '--sparse'], config }
    const result = await context.git.attempt(call)
    if (result.exitCode === 0) return []
    // A required filter that fails (LFS that is not installed) ends git at once. The bytes as they are do as well.
    const filter = /clean filter '(.+)' failed/.exec(result.stderr)?.[1]
    if (filter === undefined || filters >= MAX_FILTERS)
      return whatIsLeft(context, staging, gitFailure(call, result))
    staging.config.push(
      `filter.${filter}.clean=`,
      `filter.${filter}.process=`,
      `filter.${filter}.required=false`,
    )
  }
}

async function whatIsLeft(context: GitContext, staging: Staging, failure: Error): Promise<string[]> {
  const changed = await context.git.attempt({
    ...staging,
    args: ['diff-files', '--name-only', '-z', '--ignore-submodules=dirty'],
  })
  const others = await context.git.attempt({
    ...staging,
    args: ['ls-files', '--others', '--exclude-standard', '-z'],
  })
  if (changed.exitCode !== 0 || others.exitCode !== 0) throw failure
  const left = `${changed.stdout}${others.stdout}`.split('\0').filter((name) => name !== '')
  return [...new Set(left)].filter((name) => holdsContent(join(staging.cwd, name)))
}

/** Sockets and pipes hold nothing that could be kept. */
function holdsContent(path: string): boolean {
  const facts = factsOf(path)
  return facts === undefined || facts.isFile() || facts.isDirectory() || facts.isSymbolicLink()
}

export async function writeTree(context: GitContext, staging: Staging): Promise<Sha> {
  const call = { ...staging, args: ['write-tree'], config: [...DURABLE, ...staging.config] }
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
