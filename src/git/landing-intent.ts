import type { Sha } from '../ports/repositories.js'
import { at, type GitContext, type Repository } from './repository.js'

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
