import type { Candidate, Sha } from '../ports/repositories.js'
import type { GitContext } from './repository.js'
import { inWorktree, type WorktreePlace } from './worktree-place.js'

/** Enough to see what clashes, little enough to go into a prompt. */
const DETAIL_BYTES = 4096
const SHARE_PER_FILE_BYTES = 1500

/** What a stopped rebase or merge left in the index; undefined when it stopped for another reason. */
export async function describeConflict(
  context: GitContext,
  place: WorktreePlace,
  target: Sha,
): Promise<Extract<Candidate, { kind: 'conflict' }> | undefined> {
  const inside = inWorktree(place)
  const unmerged = await context.git.run({
    ...inside,
    args: ['diff', '--name-only', '--diff-filter=U', '-z', '--no-ext-diff'],
  })
  const files = [...new Set(unmerged.split('\0').filter((name) => name !== ''))]
  if (files.length === 0) return undefined
  const commit = await context.git.attempt({
    ...inside,
    args: ['show', '--no-patch', '--no-show-signature', '--format=%h "%s"', 'REBASE_HEAD'],
  })
  const what = commit.exitCode === 0 ? `commit ${commit.stdout.trim()}` : 'the branch'
  let detail = `${what} does not apply on top of ${target.slice(0, 12)}\n`
  for (const file of files) {
    const left = DETAIL_BYTES - Buffer.byteLength(detail)
    if (left < 100) break
    detail += cut(await hunks(context, inside, file), Math.min(left, SHARE_PER_FILE_BYTES))
  }
  return { kind: 'conflict', files, detail: cut(detail, DETAIL_BYTES) }
}

async function hunks(
  context: GitContext,
  inside: { cwd: string; env: Record<string, string> },
  file: string,
): Promise<string> {
  const env = { ...inside.env, GIT_LITERAL_PATHSPECS: '1' }
  const args = ['diff', '--no-ext-diff', '--no-textconv', '--no-color', '--', file]
  const text = (await context.git.attempt({ cwd: inside.cwd, env, args })).stdout
  // One side deleted or renamed it: there are no hunks, only the fact.
  if (!/^\* Unmerged path /m.test(text)) return text
  const stages = await context.git.run({
    cwd: inside.cwd,
    env,
    args: ['ls-files', '--unmerged', '-z', '--', file],
  })
  const sides = new Set(stages.split('\0').map((line) => / ([123])\t/.exec(line)?.[1]))
  const gone = [sides.has('2') ? '' : 'the target', sides.has('3') ? '' : 'the branch'].filter(
    (side) => side !== '',
  )
  return gone.length === 0 ? text : `${file}: deleted by ${gone.join(' and ')}, changed by the other side\n`
}

function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  const end = '\n… cut\n'
  const kept = Buffer.from(text)
    .subarray(0, bytes - Buffer.byteLength(end))
    .toString()
  return `${kept.replace(/�+$/u, '')}${end}`
}
