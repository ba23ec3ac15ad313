import type { Sha } from '../ports/repositories.js'
import { NETWORK_SILENCE_MS } from './git-command.js'
import { ABSENT } from './names.js'
import { at, type GitContext, type Repository } from './repository.js'

/**
 * Git LFS sends its files from a pre-push hook. Hooks are off for gt's own pushes, so the same command runs here, for
 * repositories that use LFS; otherwise the remote would get pointers to files it does not have.
 */
export async function syncLfs(
  context: GitContext,
  repository: Repository,
  push: { ref: string; sha: Sha; expected: Sha | undefined },
): Promise<void> {
  const place = at(repository)
  const filter = await context.git.attempt({
    ...place,
    args: ['config', '--get-regexp', '^filter\\.lfs\\.(clean|process)$'],
  })
  if (filter.exitCode !== 0) return
  const used = await context.git.attempt({
    ...place,
    args: ['grep', '-q', '-I', '-e', 'filter=lfs', push.sha, '--', ':(glob)**/.gitattributes'],
  })
  if (used.exitCode !== 0) return
  const url = (await context.git.run({ ...place, args: ['remote', 'get-url', '--push', 'origin'] })).trim()
  await context.git.run({
    ...place,
    args: ['lfs', 'pre-push', 'origin', url],
    input: `${push.ref} ${push.sha} ${push.ref} ${push.expected ?? ABSENT}\n`,
    silenceMs: NETWORK_SILENCE_MS,
  })
}
