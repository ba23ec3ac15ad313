import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha } from '../ports/repositories.js'
import { at, type GitContext, type Repository } from './repository.js'
import { readText } from './worktree-place.js'

/** A landing that began and did not end yet. */
export interface LandingIntent {
  from: Sha
  to: Sha
}

const ref = (side: 'from' | 'to', branch: string) => `refs/gt/landing/${side}/${branch}`

export async function recordIntent(
  context: GitContext,
  repository: Repository,
  job: { branch: string; from: Sha; to: Sha },
): Promise<void> {
  const input = `update ${ref('from', job.branch)} ${job.from}\nupdate ${ref('to', job.branch)} ${job.to}\n`
  await context.git.run({ ...at(repository), args: ['update-ref', '--stdin'], input })
}

/** As long as git itself would wait for a held ref. */
const TRIES = 20
const WAIT_MS = 50

/**
 * A git that was killed while it wrote leaves lock files. Those of our own refs are ours for certain; the one of the
 * branch is when it holds the candidate. The caller holds the landing lock of the repository.
 */
export async function clearStaleLocks(
  context: GitContext,
  repository: Repository,
  branch: string,
): Promise<void> {
  const pathOf = (name: string) => join(repository.gitDir, `${name}.lock`)
  const own = [ref('from', branch), ref('to', branch)].map(pathOf)
  const target = pathOf(`refs/heads/${branch}`)
  const isHeld = () => [...own, target].some((path) => existsSync(path))
  for (let n = 0; n < TRIES && isHeld(); n++) await context.clock.sleep(WAIT_MS)
  if (!isHeld()) return
  for (const path of own) await rm(path, { force: true })
  const intent = await findIntent(context, repository, branch)
  const text = (await readText(target)).trim()
  if (text !== '' && text === intent?.to) await rm(target, { force: true })
}

/** Half of it, from a kill while it was written or removed, means that no file is touched. */
export async function findIntent(
  context: GitContext,
  repository: Repository,
  branch: string,
): Promise<Partial<LandingIntent> | undefined> {
  const wanted = [ref('from', branch), ref('to', branch)]
  const out = await context.git.run({
    ...at(repository),
    args: ['for-each-ref', '--format=%(objectname) %(refname)', ...wanted],
  })
  if (out === '') return undefined
  const shas = wanted.map(
    (name) =>
      out
        .split('\n')
        .find((line) => line.endsWith(` ${name}`))
        ?.split(' ')[0],
  )
  const [from, to] = shas
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
}

export async function dropIntent(context: GitContext, repository: Repository, branch: string): Promise<void> {
  const input = `delete ${ref('to', branch)}\ndelete ${ref('from', branch)}\n`
  await context.git.run({ ...at(repository), args: ['update-ref', '--stdin'], input })
}
