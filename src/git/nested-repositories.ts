import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { factsOf } from './facts-of.js'
import type { GitContext } from './repository.js'
import { type Staging, stageAll, writeTree } from './staging.js'

interface Job {
  /** For further indexes and bundles. */
  folder: string
  /** Paths that `git add` refused; a nested repository without commits is one of them, with a slash at the end. */
  failed: readonly string[]
  /** How many repositories stand around this one. */
  depth?: number
}

interface Saved {
  notes: string[]
  notSaved: string[]
}

/** Deeper nesting is recorded by commit only. */
const MAX_DEPTH = 3
/** Beside the files of a nested repository: its commits that no remote has, for `git clone` or `git fetch`. */
export const COMMITS_FILE = 'gt-salvaged-commits.bundle'

/**
 * Git records a repository inside a repository by its commit only, and that commit is lost with it.
 * So one that holds anything not on a remote of its own is saved as plain files, plus a bundle of its local commits.
 */
export async function saveNested(context: GitContext, staging: Staging, job: Job): Promise<Saved> {
  const depth = job.depth ?? 0
  const saved: Saved = { notes: [], notSaved: [] }
  const broken = job.failed.filter(
    (name) => name.endsWith('/') && existsSync(join(staging.cwd, name, '.git')),
  )
  saved.notSaved.push(...job.failed.filter((name) => !broken.includes(name)))
  if (depth === 0 && isOwnRepository(staging.cwd)) {
    const bundled = await bundleCommits(context, staging, job.folder)
    saved.notes.push(
      `the folder was made a repository of its own${bundled ? `; its commits are in ${COMMITS_FILE}` : ''}`,
    )
  }
  const listed = await context.git.run({ ...staging, args: ['ls-files', '--stage', '-z'] })
  const links = listed.split('\0').filter((line) => line.startsWith('160000 '))
  const paths = [
    ...links.map((line) => line.slice(line.indexOf('\t') + 1)),
    ...broken.map((name) => name.slice(0, -1)),
  ]
  for (const path of [...new Set(paths)]) {
    if (!existsSync(join(staging.cwd, path, '.git'))) continue
    const facts = await inspect(context, join(staging.cwd, path))
    if (facts.isElsewhere)
      saved.notes.push(`nested repository ${path}: recorded by commit, all of it is on its remote`)
    else if (depth >= MAX_DEPTH) saved.notSaved.push(`${path}/ (a repository nested too deep)`)
    else await saveAsFiles(context, staging, { path, folder: job.folder, depth, saved })
  }
  return saved
}

async function saveAsFiles(
  context: GitContext,
  staging: Staging,
  job: { path: string; folder: string; depth: number; saved: Saved },
): Promise<void> {
  const cwd = join(staging.cwd, job.path)
  const index = join(job.folder, `index-${job.depth}-${job.saved.notes.length}-${job.saved.notSaved.length}`)
  const inner: Staging = {
    cwd,
    env: { ...staging.env, GIT_WORK_TREE: cwd, GIT_INDEX_FILE: index },
    config: [],
  }
  const failed = await stageAll(context, inner)
  const deeper = await saveNested(context, inner, { folder: job.folder, failed, depth: job.depth + 1 })
  const bundled = await bundleCommits(context, inner, job.folder)
  const tree = await writeTree(context, inner)
  await context.git.run({
    ...staging,
    args: ['update-index', '--force-remove', '-z', '--stdin'],
    input: `${job.path}\0`,
  })
  await context.git.run({ ...staging, args: ['read-tree', `--prefix=${job.path}/`, tree] })
  const commits = bundled ? `, its local commits as ${job.path}/${COMMITS_FILE}` : ''
  job.saved.notes.push(`nested repository ${job.path}: saved as plain files${commits}`)
  job.saved.notes.push(...deeper.notes.map((note) => `in ${job.path}: ${note}`))
  job.saved.notSaved.push(...deeper.notSaved.map((name) => `${job.path}/${name}`))
}

/** Runs in the nested repository itself; the ceiling keeps git from taking the outer one for it when it is damaged. */
function inside(path: string): { cwd: string; env: Record<string, string> } {
  return { cwd: path, env: { GIT_CEILING_DIRECTORIES: dirname(path) } }
}

async function inspect(context: GitContext, path: string): Promise<{ isElsewhere: boolean }> {
  const status = await context.git.attempt({
    ...inside(path),
    args: ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=none'],
  })
  if (status.exitCode !== 0 || status.stdout !== '') return { isElsewhere: false }
  const local = await context.git.attempt({
    ...inside(path),
    args: ['rev-list', '--max-count=1', ...LOCAL_COMMITS],
  })
  return { isElsewhere: local.exitCode === 0 && local.stdout === '' }
}

const LOCAL_COMMITS = ['HEAD', '--branches', '--tags', '--not', '--remotes']

/** @returns whether there were commits to keep. They go in as one file; one thread makes the same file every time. */
async function bundleCommits(context: GitContext, staging: Staging, folder: string): Promise<boolean> {
  const bundle = join(folder, 'commits.bundle')
  const made = await context.git.attempt({
    ...inside(staging.cwd),
    args: ['bundle', 'create', '--quiet', bundle, ...LOCAL_COMMITS],
    config: ['pack.threads=1'],
  })
  if (made.exitCode !== 0) return false
  const blob = await context.git.run({
    ...staging,
    args: ['hash-object', '-w', '--no-filters', '--', bundle],
  })
  await context.git.run({
    ...staging,
    args: ['update-index', '--add', '--cacheinfo', `100644,${blob.trim()},${COMMITS_FILE}`],
  })
  return true
}

/** An agent that ran `git init` over its worktree: the record still leads here, but its commits went elsewhere. */
function isOwnRepository(path: string): boolean {
  return factsOf(join(path, '.git'))?.isDirectory() ?? false
}
