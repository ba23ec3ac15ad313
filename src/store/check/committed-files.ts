import { execFile } from 'node:child_process'
import type { CloneIdentity } from '../clone-identity.js'
import { type GitRun, gitArguments, gitEnv, notStarted, runGit } from '../git-process.js'
import type { StorePaths } from '../layout.js'
import type { StoreSettings } from '../store-options.js'
import { readSyncNote } from '../sync/sync-note.js'

export interface CommittedFile {
  blob: string
  sizeBytes: number
}

/** What a commit holds that is known to be what our files once held, or begin with. */
export interface CommittedBranch {
  commit: string
  /** Whose chain it is about. */
  clone: string
  /** The branch that our own commits go to. */
  isOwn: boolean
  /** By path: `log/…`, `blob/…`. */
  files: Map<string, CommittedFile>
}

export interface Repository {
  paths: StorePaths
  settings: StoreSettings
}

const BRANCH = /^refs\/heads\/beads\/([0-9a-z]{5})$/
/** A damaged version may have been committed; it stands among the newest. */
const MAX_VERSIONS = 60

/**
 * Our own branches, and the commits of other chains that were taken over. What was fetched and not taken over is not ours to
 * put in place: sync may have had reasons. A chain of a former id is the remote's, once it was taken over from there.
 * @returns undefined when git cannot say
 */
export async function committedBranches(
  at: Repository,
  identity: CloneIdentity | undefined,
): Promise<CommittedBranch[] | undefined> {
  const found = await runGit({ ...place(at), args: ['for-each-ref', '--format=%(refname) %(objectname)'] })
  // A ref whose file holds garbage is reported on stderr and left out.
  if (found.exitCode !== 0 || found.stderr !== '') return undefined
  const note = readSyncNote(at.paths)
  const wanted: Omit<CommittedBranch, 'files'>[] = []
  for (const line of found.stdout.split('\n')) {
    const [ref = '', commit = ''] = line.split(' ')
    const clone = BRANCH.exec(ref)?.[1]
    if (clone === undefined || note?.chains[clone] !== undefined) continue
    wanted.push({ clone, commit, isOwn: clone === identity?.clone })
  }
  const pushed = identity === undefined ? undefined : note?.pushed[identity.clone]?.commit
  if (pushed !== undefined && pushed !== '')
    wanted.push({ clone: identity?.clone ?? '', commit: pushed, isOwn: false })
  for (const [clone, { tip }] of Object.entries(note?.chains ?? {})) {
    if (clone !== identity?.clone) wanted.push({ clone, commit: tip, isOwn: false })
  }
  const branches: CommittedBranch[] = []
  for (const branch of wanted) {
    const files = await listFiles(at, branch.commit)
    // Squashed or remade since; our own branch is never.
    if (files === undefined && branch.isOwn) return undefined
    if (files !== undefined) branches.push({ ...branch, files })
  }
  return branches
}

/** Files of every ref, fetched ones included: enough for content that proves itself by its name. */
export async function* everyRef(at: Repository): AsyncIterable<Map<string, CommittedFile>> {
  const found = await runGit({ ...place(at), args: ['for-each-ref', '--format=%(objectname)'] })
  for (const commit of new Set(found.stdout.split('\n').filter((line) => line !== ''))) {
    const files = await listFiles(at, commit)
    if (files !== undefined) yield files
  }
}

async function listFiles(at: Repository, commit: string): Promise<Map<string, CommittedFile> | undefined> {
  const listing = await runGit({ ...place(at), args: ['ls-tree', '-r', '-l', '-z', commit] })
  if (listing.exitCode !== 0) return undefined
  const files = new Map<string, CommittedFile>()
  for (const entry of listing.stdout.split('\0')) {
    const match = /^\d+ blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(entry)
    if (match !== null) files.set(match[3] ?? '', { blob: match[1] ?? '', sizeBytes: Number(match[2]) })
  }
  return files
}

/** @returns undefined when the object is missing or damaged */
export async function readObject(at: Repository, blob: string): Promise<Buffer | undefined> {
  const run: GitRun = { ...place(at), args: ['cat-file', 'blob', blob] }
  const options = { env: gitEnv(run.env), encoding: 'buffer' as const, maxBuffer: MAX_OBJECT_BYTES }
  return new Promise((resolve, reject) => {
    execFile('git', gitArguments(run), options, (error, stdout) => {
      if (error !== null && typeof error.code !== 'number') reject(notStarted(run.args, error))
      else resolve(error === null ? stdout : undefined)
    })
  })
}

const MAX_OBJECT_BYTES = 1024 * 1024 * 1024

/** All versions of a path in these commits and before, oldest first; those that cannot be read are left out. */
export async function fileVersions(
  at: Repository,
  commits: readonly string[],
  path: string,
): Promise<Buffer[]> {
  const args = [
    'log',
    '--format=',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    `-n${MAX_VERSIONS}`,
    ...commits,
    '--',
    path,
  ]
  const history = await runGit({ ...place(at), args })
  const blobs = new Set<string>()
  for (const line of history.stdout.split('\n')) {
    const match = /^:\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [AM]\t/.exec(line)
    if (match?.[1] !== undefined) blobs.add(match[1])
  }
  const versions: Buffer[] = []
  for (const blob of [...blobs].reverse()) {
    const bytes = await readObject(at, blob)
    if (bytes !== undefined) versions.push(bytes)
  }
  return versions
}

function place({ paths, settings }: Repository) {
  return { repository: paths.git, env: settings.env }
}
