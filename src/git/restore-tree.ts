import { ConflictError } from '../domain/errors.js'
import type { Rig } from '../domain/rig.js'
import type { Sha } from '../ports/repositories.js'
import { checkSha } from './names.js'
import { type GitContext, openRepository } from './repository.js'
import { getWorktree, inWorktree } from './worktree-place.js'
import { worktreeState } from './worktree-state.js'

/** A whole-tree restore: also what the tree does not hold is taken away. Names are matched literally nowhere: `:/` is all. */
const EVERYTHING = ['--no-overlay', '--', ':/']

export async function restoreTree(
  context: GitContext,
  request: { rig: Rig; path: string; from: Sha },
): Promise<void> {
  const { rig, path } = request
  const from = checkSha(request.from)
  const place = inWorktree(await getWorktree(await openRepository(context, rig), path))
  const { head, dirty } = await worktreeState(context, rig, { path })
  const parents = await context.git.run({ ...place, args: ['rev-parse', `${from}^@`] })
  if (!parents.split('\n').includes(head)) {
    throw new ConflictError(`${from.slice(0, 12)} was not saved from ${head.slice(0, 12)}`, {
      code: 'wrong-base',
      details: { head, from },
    })
  }
  if (dirty.length > 0) {
    throw new ConflictError(
      `${path} holds changes that would be overwritten: ${dirty.slice(0, 3).join(', ')}`,
      {
        code: 'dirty-tree',
        details: { path, dirty: dirty.slice(0, 50) },
      },
    )
  }
  await context.git.run({ ...place, args: ['checkout', '--quiet', from, ...EVERYTHING] })
  // Nothing was committed or staged where it comes from, as far as anybody can tell: so neither is it here.
  await context.git.run({ ...place, args: ['reset', '--quiet'] })
}
