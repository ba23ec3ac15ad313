import { existsSync } from 'node:fs'
import { chmod, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConflictError } from '../domain/errors.js'
import { printable } from '../domain/ids.js'
import type { Rig } from '../domain/rig.js'
import type { Salvage, Sha } from '../ports/repositories.js'
import { quoted, shortHash } from './names.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'
import { takeSnapshot } from './snapshot.js'
import {
  findWorktree,
  findWorktreeOrOrphan,
  readText,
  settledPath,
  type WorktreePlace,
} from './worktree-place.js'

/**
 * Deletes a worktree whose salvage is still current. A kill halfway leaves a note, because what is left of the tree
 * then no longer equals the salvage.
 */
export async function removeWorktree(
  context: GitContext,
  request: { rig: Rig; path: string; salvage: Salvage },
): Promise<void> {
  const repository = await openRepository(context, request.rig)
  const path = await settledPath(request.path)
  const note = join(context.lockDir, `removing-${shortHash(path)}`)
  await context.lock(`worktree-${shortHash(path)}`, async () => {
    if (!existsSync(path) && (await findWorktree(repository, path)) === undefined)
      return rm(note, { force: true })
    const proof = proofOf(request.salvage)
    const isBegun = (await readText(note)) === proof
    // Halfway through, the `.git` file may be gone already.
    const place = isBegun
      ? await findWorktree(repository, path)
      : await findWorktreeOrOrphan(repository, path)
    if (place !== undefined && !isBegun) {
      if ((await settledPath(request.salvage.path)) !== path)
        throw notSalvaged(path, 'the salvage is of another path')
      await checkUnlocked(place)
      await checkCurrent(context, repository, { place, salvage: request.salvage })
      await writeFile(note, proof)
    }
    context.onStep('removal-noted')
    await deleteTree(path)
    context.onStep('removal-tree-gone')
    if (place !== undefined) await forget(context, repository, place)
    await rm(note, { force: true })
  })
}

function proofOf(salvage: Salvage): string {
  return salvage.kind === 'saved' ? `saved ${salvage.sha}\n` : `nothing ${salvage.head}\n`
}

async function checkCurrent(
  context: GitContext,
  repository: Repository,
  job: { place: WorktreePlace; salvage: Salvage },
): Promise<void> {
  const now = await takeSnapshot(context, job.place)
  if (now.notSaved.length > 0) {
    throw notSalvaged(
      job.place.path,
      `${now.notSaved.length} paths in it cannot be saved, the first is ${printable(now.notSaved[0] ?? '', 200)}`,
    )
  }
  if (job.salvage.kind === 'nothing') {
    const same = now.head === job.salvage.head && now.tree === now.headTree
    if (!same) throw notSalvaged(job.place.path, 'the tree changed since it was found clean')
    return
  }
  const saved = await readSaved(context, repository, job.salvage.ref)
  if (saved?.sha !== job.salvage.sha)
    throw notSalvaged(job.place.path, `${job.salvage.ref} is gone or was moved`)
  const current = [now.tree, ...now.parents].join(' ')
  if (current !== [saved.tree, ...saved.parents].join(' ')) {
    throw notSalvaged(job.place.path, 'the tree or its HEAD changed since it was salvaged')
  }
}

async function readSaved(
  context: GitContext,
  repository: Repository,
  ref: string,
): Promise<{ sha: Sha; tree: Sha; parents: Sha[] } | undefined> {
  const out = await context.git.run({
    ...at(repository),
    args: ['for-each-ref', '--format=%(refname) %(objectname) %(tree) %(parent)', ref],
  })
  const [name, sha, tree, ...parents] = (out.split('\n')[0] ?? '').split(' ')
  if (name !== ref || sha === undefined || tree === undefined) return undefined
  return { sha, tree, parents: parents.filter((parent) => parent !== '') }
}

function notSalvaged(path: string, why: string): ConflictError {
  return new ConflictError(`${path} is kept: ${why}`, {
    code: 'not-salvaged',
    hint: 'salvage it again, then remove it',
    details: { path, why },
  })
}

/** `git worktree lock` is how a person says "hands off". */
async function checkUnlocked(place: WorktreePlace): Promise<void> {
  if (place.isOrphan) return
  const reason = join(place.adminDir, 'locked')
  if (!existsSync(reason)) return
  const why = (await readText(reason)).trim()
  if (why === 'initializing') return
  throw new ConflictError(`${place.path} is locked${why === '' ? '' : `: ${why}`}`, {
    code: 'worktree-locked',
    hint: `git worktree unlock ${quoted(place.path)}`,
    details: { path: place.path },
  })
}

/** Folders that an agent made read-only are opened first; Node's rm gives up on them. */
async function deleteTree(path: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }
  await rm(path, options).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error
    await openFolders(path)
    await rm(path, options)
  })
}

async function openFolders(path: string): Promise<void> {
  await chmod(path, 0o700).catch(() => undefined)
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await openFolders(join(path, entry.name))
  }
}

/** What `git worktree prune` would do, for this worktree alone. */
async function forget(context: GitContext, repository: Repository, place: WorktreePlace): Promise<void> {
  if (place.isOrphan) return
  await context.lock(`repository-${shortHash(repository.gitDir)}`, async () => {
    await rm(place.adminDir, { recursive: true, force: true })
    await rmdir(dirname(place.adminDir)).catch(() => undefined)
  })
}

/** For throw-away trees of our own that hold nothing to salvage. */
export async function discardWorktree(
  context: GitContext,
  repository: Repository,
  path: string,
): Promise<void> {
  const place = await findWorktree(repository, path)
  await deleteTree(path)
  if (place !== undefined) await forget(context, repository, place)
}
