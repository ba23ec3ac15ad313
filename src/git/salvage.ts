import { OperationError } from '../domain/errors.js'
import { type AgentId, printable } from '../domain/ids.js'
import type { Rig } from '../domain/rig.js'
import type { Salvage, Sha } from '../ports/repositories.js'
import { DURABLE } from './git-environment.js'
import { gitFailure } from './git-failure.js'
import { ABSENT, checkSha } from './names.js'
import { isAncestor } from './remote.js'
import { at, type GitContext, openRepository, type Repository } from './repository.js'
import { type Snapshot, takeSnapshot } from './snapshot.js'
import { branchOf, findWorktreeOrOrphan, operationIn, type WorktreePlace } from './worktree-place.js'

const PREFIX = 'refs/gt/salvage'
/** Salvages of one agent within one second; far more than one would be a loop. */
const MAX_SAME_SECOND = 100

interface Request {
  path: string
  agent: AgentId
  reason: string
  at: Date
  safeOn?: Sha
}

export async function salvageWorktree(
  context: GitContext,
  request: Request & { rig: Rig },
): Promise<Salvage> {
  const repository = await openRepository(context, request.rig)
  const place = await findWorktreeOrOrphan(repository, request.path)
  const snapshot = await takeSnapshot(context, place)
  context.onStep('salvage-snapshot')
  const why = await whyNothing(context, repository, { snapshot, safeOn: request.safeOn })
  if (why !== undefined) return { kind: 'nothing', head: snapshot.head ?? ABSENT, path: request.path, why }
  const message = await describe(place, request, snapshot)
  const sha = await commit(context, repository, { snapshot, message, at: request.at })
  context.onStep('salvage-committed')
  const ref = await store(context, repository, { sha, agent: request.agent, at: request.at })
  context.onStep('salvage-stored')
  return {
    kind: 'saved',
    ref,
    sha,
    path: request.path,
    ...(snapshot.notSaved.length === 0 ? {} : { notSaved: snapshot.notSaved }),
  }
}

async function whyNothing(
  context: GitContext,
  repository: Repository,
  ask: { snapshot: Snapshot; safeOn: Sha | undefined },
): Promise<string | undefined> {
  const { snapshot, safeOn } = ask
  if (snapshot.notSaved.length > 0) return undefined
  const isClean = snapshot.headTree === undefined ? false : snapshot.tree === snapshot.headTree
  if (!isClean || safeOn === undefined) return undefined
  for (const parent of snapshot.parents) {
    if (!(await isAncestor(context, repository, { ancestor: parent, of: checkSha(safeOn) }))) return undefined
  }
  return `the tree is clean and its commits are part of ${safeOn.slice(0, 12)}`
}

async function describe(place: WorktreePlace, request: Request, snapshot: Snapshot): Promise<string> {
  const branch = place.isOrphan ? undefined : await branchOf(place.adminDir)
  const operation = place.isOrphan ? undefined : operationIn(place.adminDir)
  const facts = [
    `Agent: ${request.agent}`,
    `Path: ${request.path}`,
    `Branch: ${branch ?? '(detached)'}`,
    `Head: ${snapshot.head ?? '(no commit)'}`,
    operation === undefined ? '' : `In-progress: ${operation}`,
    place.isOrphan
      ? 'Note: git had no record of this worktree; its commits are not part of this salvage'
      : '',
    ...snapshot.notes.map((note) => `Note: ${note}`),
    ...snapshot.notSaved.slice(0, 50).map((name) => `Not-saved: ${printable(name, 500)}`),
  ]
  return `salvage ${request.agent}: ${printable(request.reason, 200)}\n\n${facts.filter((line) => line !== '').join('\n')}\n`
}

async function commit(
  context: GitContext,
  repository: Repository,
  job: { snapshot: Snapshot; message: string; at: Date },
): Promise<Sha> {
  const date = `${Math.floor(job.at.getTime() / 1000)} +0000`
  const place = at(repository)
  const out = await context.git.run({
    ...place,
    args: [
      'commit-tree',
      ...job.snapshot.parents.flatMap((parent) => ['-p', parent]),
      '-F',
      '-',
      job.snapshot.tree,
    ],
    env: {
      ...place.env,
      // Not the user's work and not for the user's history: a name of its own, whatever is configured.
      GIT_AUTHOR_NAME: 'gt',
      GIT_AUTHOR_EMAIL: 'gt@localhost',
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: 'gt',
      GIT_COMMITTER_EMAIL: 'gt@localhost',
      GIT_COMMITTER_DATE: date,
    },
    config: DURABLE,
    input: job.message,
  })
  return out.trim()
}

/** Two salvages in one second get different names: a ref is only made where there is none. */
async function store(
  context: GitContext,
  repository: Repository,
  job: { sha: Sha; agent: AgentId; at: Date },
): Promise<string> {
  const time = job.at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '')
  for (let n = 1; n <= MAX_SAME_SECOND; n++) {
    const ref = `${PREFIX}/${job.agent}/${time}${n === 1 ? '' : `-${n}`}`
    const call = { ...at(repository), args: ['update-ref', ref, job.sha, ABSENT], config: DURABLE }
    const result = await context.git.attempt(call)
    if (result.exitCode === 0) {
      await readBack(context, repository, { ref, sha: job.sha })
      return ref
    }
    if (!/reference already exists|but expected/.test(result.stderr)) throw gitFailure(call, result)
  }
  throw new OperationError(`agent ${job.agent} was salvaged ${MAX_SAME_SECOND} times in one second`, {
    code: 'too-many-salvages',
  })
}

async function readBack(
  context: GitContext,
  repository: Repository,
  job: { ref: string; sha: Sha },
): Promise<void> {
  const out = await context.git.run({
    ...at(repository),
    args: ['rev-parse', '--verify', `${job.ref}^{commit}`],
  })
  if (out.trim() === job.sha) return
  throw new OperationError(`${job.ref} does not read back as ${job.sha}`, { code: 'salvage-not-stored' })
}

export async function listSalvage(
  context: GitContext,
  rig: Rig,
): Promise<{ ref: string; sha: Sha; at: string; subject: string }[]> {
  const repository = await openRepository(context, rig)
  const out = await context.git.run({
    ...at(repository),
    args: [
      'for-each-ref',
      '--sort=creatordate',
      '--format=%(objectname) %(creatordate:unix) %(refname) %(subject)',
      `${PREFIX}/`,
    ],
  })
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [sha = '', seconds = '', ref = '', ...subject] = line.split(' ')
      return { ref, sha, at: new Date(Number(seconds) * 1000).toISOString(), subject: subject.join(' ') }
    })
}
