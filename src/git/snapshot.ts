import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha } from '../ports/repositories.js'
import { saveNested } from './nested-repositories.js'
import type { GitContext } from './repository.js'
import { type Staging, stageAll, writeTree } from './staging.js'
import { inWorktree, readText, type WorktreePlace } from './worktree-place.js'

/** Everything in a worktree that would be lost with it, as objects in the repository. */
export interface Snapshot {
  tree: Sha
  /** HEAD first (absent on an unborn branch), then commits that only a half-done rebase or merge names. */
  parents: Sha[]
  head?: Sha
  /** Tree of HEAD: the same as `tree` when nothing is uncommitted. */
  headTree?: Sha
  /** What was saved in another form than it had. */
  notes: string[]
  /** Paths that could not be saved. */
  notSaved: string[]
}

/**
 * Stages the whole tree in an index of our own, so that neither a lock nor a half-done merge in the agent's index
 * matters and nothing there changes.
 */
export async function takeSnapshot(context: GitContext, place: WorktreePlace): Promise<Snapshot> {
  const heads = await readHeads(context, place)
  // Only its commits are left when the folder is gone: they are saved with their own tree.
  if (!existsSync(place.path))
    return { ...heads, tree: heads.headTree ?? (await emptyTree(context, place)), notes: [], notSaved: [] }
  const folder = await mkdtemp(join(context.lockDir, 'snapshot-'))
  try {
    const { cwd, env } = inWorktree(place)
    const staging: Staging = { cwd, env: { ...env, GIT_INDEX_FILE: join(folder, 'index') }, config: [] }
    await seedIndex(context, { staging, place, hasHead: heads.head !== undefined })
    const notSaved = await stageAll(context, staging)
    const nested = await saveNested(context, staging, { folder, failed: notSaved })
    const tree = await writeTree(context, staging)
    return { ...heads, tree, notes: nested.notes, notSaved: nested.notSaved }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readHeads(
  context: GitContext,
  place: WorktreePlace,
): Promise<Pick<Snapshot, 'parents' | 'head' | 'headTree'>> {
  if (place.isOrphan) return { parents: [] }
  const files = [
    'rebase-merge/orig-head',
    'rebase-merge/autostash',
    'rebase-apply/orig-head',
    'MERGE_HEAD',
    'CHERRY_PICK_HEAD',
    'REVERT_HEAD',
  ]
  const texts = await Promise.all(files.map((file) => readText(join(place.adminDir, file))))
  const half = texts.flatMap((text) => text.split('\n')).filter((line) => /^[0-9a-f]{40,64}$/.test(line))
  const asked = ['HEAD^{tree}', 'HEAD^{commit}', ...half.map((sha) => `${sha}^{commit}`)]
  const out = await context.git.run({
    ...inWorktree(place),
    args: ['cat-file', '--batch-check'],
    input: `${asked.join('\n')}\n`,
  })
  const known = out.split('\n').map((line) => /^([0-9a-f]+) (?:commit|tree) \d+$/.exec(line)?.[1])
  const [headTree, head] = known
  const parents = [...new Set(known.slice(1).filter((sha) => sha !== undefined))]
  return { parents, ...(head === undefined ? {} : { head }), ...(headTree === undefined ? {} : { headTree }) }
}

/** The agent's own index knows which files did not change; without it every file would be read again. */
async function seedIndex(
  context: GitContext,
  job: { staging: Staging; place: WorktreePlace; hasHead: boolean },
): Promise<void> {
  const own = join(job.place.adminDir, 'index')
  const copy = job.staging.env.GIT_INDEX_FILE ?? ''
  if (
    !job.place.isOrphan &&
    existsSync(own) &&
    (await copyIndex(own, copy)) &&
    (await dropPromises(context, job.staging))
  )
    return
  await rm(copy, { force: true })
  if (job.hasHead) await context.git.run({ ...job.staging, args: ['read-tree', 'HEAD'] })
}

/** Git compares file times with the time of the index; an older one makes it look closer, a newer one would hide edits. */
export async function copyIndex(from: string, to: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(from)
    await copyFile(from, to)
    const wholeSeconds = Math.floor(mtimeMs / 1000) - 1
    await utimes(to, wholeSeconds, wholeSeconds)
    return true
  } catch {
    return false
  }
}

/**
 * "Assume unchanged" and "skip worktree" promise git that a file did not change; the promise may be wrong.
 * @returns false when the index cannot be read
 */
async function dropPromises(context: GitContext, staging: Staging): Promise<boolean> {
  const listed = await context.git.attempt({ ...staging, args: ['ls-files', '-v', '-z'] })
  if (listed.exitCode !== 0) return false
  const promised = listed.stdout
    .split('\0')
    .filter((line) => /^[a-zS] /.test(line))
    .map((line) => line.slice(2))
    .filter((name) => existsSync(join(staging.cwd, name)))
  if (promised.length === 0) return true
  const input = `${promised.join('\0')}\0`
  for (const flag of ['--no-assume-unchanged', '--no-skip-worktree']) {
    await context.git.run({ ...staging, args: ['update-index', flag, '-z', '--stdin'], input })
  }
  return true
}

async function emptyTree(context: GitContext, place: WorktreePlace): Promise<Sha> {
  return (
    await context.git.run({ ...inWorktree(place), args: ['hash-object', '-t', 'tree', '-w', '/dev/null'] })
  ).trim()
}
