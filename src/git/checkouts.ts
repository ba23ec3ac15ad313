import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { printable } from '../domain/ids.js'
import type { Sha } from '../ports/repositories.js'
import { factsOf } from './facts-of.js'
import { at, type GitContext, type Repository } from './repository.js'
import { findWorktree, operationIn, readText } from './worktree-place.js'
import { readStatus } from './worktree-state.js'

/** A working tree of the repository: the user's main one or an attached one. */
export interface Checkout {
  path: string
  gitDir: string
  /** Full name of the ref that HEAD stands on. */
  ref?: string
}

const SHOWN_FILES = 5

export function insideCheckout(checkout: Checkout): { cwd: string; env: Record<string, string> } {
  return { cwd: checkout.path, env: { GIT_DIR: checkout.gitDir, GIT_WORK_TREE: checkout.path } }
}

/** Every working tree whose folder is there. */
export async function listCheckouts(context: GitContext, repository: Repository): Promise<Checkout[]> {
  const out = await context.git.run({ ...at(repository), args: ['worktree', 'list', '--porcelain', '-z'] })
  const checkouts: Checkout[] = []
  for (const [n, entry] of out
    .split('\0\0')
    .filter((text) => text !== '')
    .entries()) {
    const lines = entry.split('\0')
    if (lines.includes('bare')) continue
    // The first one is the main worktree; for a submodule git shows its git directory there.
    const listed = lines[0]?.replace(/^worktree /, '') ?? ''
    const path = n === 0 ? repository.top : listed
    const gitDir = n === 0 ? repository.gitDir : (await findWorktree(repository, path))?.adminDir
    if (gitDir === undefined || !existsSync(path)) continue
    const ref = lines.find((line) => line.startsWith('branch '))?.slice('branch '.length)
    checkouts.push({ path, gitDir, ...(ref === undefined ? {} : { ref }) })
  }
  return checkouts
}

/** Those that show the branch, or come back to it when a rebase or bisect there ends. */
export async function checkoutsOf(
  context: GitContext,
  repository: Repository,
  branch: string,
): Promise<Checkout[]> {
  const found: Checkout[] = []
  for (const checkout of await listCheckouts(context, repository)) {
    const names = ['rebase-merge/head-name', 'rebase-apply/head-name', 'BISECT_START']
    const returns = await Promise.all(names.map((name) => readText(join(checkout.gitDir, name))))
    const isLeft = returns.some((text) => text.trim() === `refs/heads/${branch}` || text.trim() === branch)
    if (checkout.ref === `refs/heads/${branch}` || isLeft) found.push(checkout)
  }
  return found
}

/** @returns why files of this checkout must not be touched; undefined when nothing of the user's is in the way */
export async function whyNotClean(
  context: GitContext,
  checkout: Checkout,
  move: { from: Sha; to: Sha },
): Promise<string | undefined> {
  const operation = operationIn(checkout.gitDir)
  if (operation !== undefined) return `a ${operation} is in progress there`
  // Submodules do not follow a landing, as they do not follow a merge, so their state says nothing about the user.
  const args = [
    'status',
    '--porcelain=v2',
    '-z',
    '--untracked-files=no',
    '--ignore-submodules=all',
    '--no-renames',
  ]
  const { dirty } = readStatus(await context.git.run({ ...insideCheckout(checkout), args }))
  if (dirty.length > 0) return `uncommitted changes in ${shorten(dirty.map((line) => line.slice(3)))}`
  const untracked = await untrackedInTheWay(context, checkout, move)
  return untracked.length > 0 ? `untracked files in the way: ${shorten(untracked)}` : undefined
}

function shorten(files: readonly string[]): string {
  const shown = files.slice(0, SHOWN_FILES).map((file) => printable(file, 200))
  const more = files.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Git itself would overwrite an untracked file that is ignored; to the user it may be the only copy. */
async function untrackedInTheWay(
  context: GitContext,
  checkout: Checkout,
  move: { from: Sha; to: Sha },
): Promise<string[]> {
  const place = insideCheckout(checkout)
  const added = await context.git.run({
    ...place,
    args: ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--diff-filter=A', move.from, move.to],
  })
  const found = new Set<string>()
  for (const name of added.split('\0').filter((text) => text !== '')) {
    const blocker = whatStandsAt(checkout.path, name)
    if (blocker === undefined) continue
    const literal = { cwd: place.cwd, env: { ...place.env, GIT_LITERAL_PATHSPECS: '1' } }
    const others = await context.git.run({ ...literal, args: ['ls-files', '--others', '-z', '--', blocker] })
    for (const file of others.split('\0').filter((text) => text !== '')) found.add(file)
  }
  return [...found]
}

/** The path itself, or a parent of it that is not a folder. */
function whatStandsAt(root: string, name: string): string | undefined {
  for (let path = name; path !== '.'; path = dirname(path)) {
    const facts = factsOf(join(root, path))
    if (facts === undefined) continue
    return path === name || !facts.isDirectory() ? path : undefined
  }
  return undefined
}
