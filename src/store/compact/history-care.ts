import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConflictError } from '../../domain/errors.js'
import { randomId } from '../../domain/ids.js'
import type { HistoryCare } from '../../ports/upkeep.js'
import { writeAtomically } from '../../system/atomic-write.js'
import type { CloneIdentity } from '../clone-identity.js'
import { branchOf, git } from '../git-process.js'
import { withHistoryLock } from '../history-lock.js'
import { isMissing } from '../segment-bytes.js'
import { readHistoryNote } from '../uncommitted.js'
import type { UpkeepContext } from './compact-store.js'

/** A commit leaves a few loose objects; past some thousand git itself becomes slow. */
const COMMITS_PER_GC = 500
const MAX_RACES = 5
const DAY_MS = 86_400_000
const SQUASH_AFTER_MS = 90 * DAY_MS
/** Objects that nothing refers to, younger than this, may belong to a commit that is being made. Git's own default. */
const PRUNE = '2.weeks.ago'
/** After a purge: what the remote or other clones let go of is destroyed here as well, within a day. */
const PRUNE_PURGED = '1.hour.ago'
const PRUNE_PURGED_FOR_MS = 60 * DAY_MS

/** local/history-care: what was done when. Only a note: without it the work is done again. */
interface CareNote {
  /** Commits that the history note had counted at the last gc. */
  commitsAtGc: number
  /** When the oldest commit of the branch was made; undefined: not looked yet. Milliseconds since the epoch. */
  since?: number
  gcAt?: number
  /** Until then unreachable objects are dropped daily. */
  pruneUntil?: number
}

export function historyDue(
  { paths, settings }: UpkeepContext,
  { createdAt }: CloneIdentity,
): ('gc' | 'squash')[] {
  const { commits, commit } = readHistoryNote(paths)
  if (commit === '') return []
  const { commitsAtGc, since, gcAt = 0, pruneUntil = 0 } = readCare(paths.local)
  const isPruning = settings.now() < pruneUntil && settings.now() - gcAt > DAY_MS
  const due: ('gc' | 'squash')[] = []
  if (settings.now() - (since ?? (Date.parse(createdAt) || 0)) > SQUASH_AFTER_MS) due.push('squash')
  if (isPruning || commits - commitsAtGc >= COMMITS_PER_GC) due.push('gc')
  return due
}

/**
 * Packs the history, and makes one commit of the own branch when its first is 90 days old. What was there before stays
 * under refs/archive/, here only.
 *
 * @param force - squash a younger branch too
 */
export async function careForHistory(
  context: UpkeepContext,
  clone: string,
  force: boolean,
): Promise<HistoryCare> {
  const { paths, settings } = context
  const before = directorySize(paths.git)
  const squashed = await squash(context, clone, force)
  // A crash from here on repeats the packing only.
  settings.onStep('history:before-gc')
  const commitsAtGc = readHistoryNote(paths).commits
  const { pruneUntil = 0 } = readCare(paths.local)
  const prune = settings.now() < pruneUntil ? PRUNE_PURGED : PRUNE
  // The graph would name commits that a purge takes away.
  await ask(context, ['-c', 'gc.writeCommitGraph=false', 'gc', '--quiet', `--prune=${prune}`])
  noteCare(context, { ...readCare(paths.local), commitsAtGc, gcAt: settings.now() })
  return { ...squashed, before, after: directorySize(paths.git) }
}

type Squashed = Pick<HistoryCare, 'commits' | 'archivedAs'>

/** @throws ConflictError code `history-contention` */
function squash(context: UpkeepContext, clone: string, force: boolean): Promise<Squashed> {
  return withHistoryLock(join(context.paths.local, 'history.lock'), async () => {
    for (let race = 0; race < MAX_RACES; race++) {
      const done = await squashOnce(context, clone, force)
      if (done !== undefined) return done
    }
    throw contention()
  })
}

/** @returns undefined when the branch moved in the meantime */
async function squashOnce(context: UpkeepContext, clone: string, force: boolean) {
  const tip = await tipOf(context, clone)
  if (tip === '') return { commits: 0 }
  const commits = Number(await ask(context, ['rev-list', '--count', tip]))
  const sinceMs = await firstCommitMs(context, tip)
  const isDue = force || context.settings.now() - sinceMs > SQUASH_AFTER_MS
  if (commits < 2 || !isDue) {
    noteCare(context, { ...readCare(context.paths.local), since: sinceMs })
    return { commits }
  }
  const archivedAs = await replaceTip(context, clone, tip, commits)
  return archivedAs === undefined ? undefined : { commits, archivedAs }
}

async function tipOf(context: UpkeepContext, clone: string): Promise<string> {
  return (await ask(context, ['for-each-ref', '--format=%(objectname)', branchOf(clone)])).trim()
}

async function firstCommitMs(context: UpkeepContext, tip: string): Promise<number> {
  const lines = (await ask(context, ['rev-list', '--max-parents=0', '--format=%ct', tip])).split('\n')
  const seconds = lines.filter((line) => /^\d+$/.test(line)).map(Number)
  return Math.min(...seconds) * 1000
}

/**
 * The branch moves by expected value, after the old tip has a name: a commit made in between is not lost, it wins.
 * @returns the ref that keeps the old commits; undefined when another commit was first
 */
async function replaceTip(
  context: UpkeepContext,
  clone: string,
  tip: string,
  commits: number,
): Promise<string | undefined> {
  const { settings } = context
  const now = new Date(settings.now()).toISOString()
  const archive = `refs/archive/beads/${clone}/${now.slice(0, 10)}-${tip.slice(0, 12)}`
  const many = commits === 0 ? 'what went before is destroyed' : `${commits} commits in one`
  const message = `history until ${now.slice(0, 10)}, ${many}\n`
  const seconds = `${Math.floor(settings.now() / 1000)} +0000`
  const dates = { GIT_AUTHOR_DATE: seconds, GIT_COMMITTER_DATE: seconds }
  const commit = (await ask(context, ['commit-tree', `${tip}^{tree}`, '-m', message], dates)).trim()
  await ask(context, ['update-ref', archive, tip])
  settings.onStep('history:archived')
  try {
    await ask(context, ['update-ref', branchOf(clone), commit, tip])
  } catch (error) {
    if ((await tipOf(context, clone)) === tip) throw error
    return undefined
  }
  settings.onStep('history:squashed')
  noteCare(context, { ...readCare(context.paths.local), since: settings.now() })
  return archive
}

/** One commit in place of a branch of ours, whatever its age; nothing of the old ones is kept. */
export async function squashTip(context: UpkeepContext, clone: string): Promise<void> {
  for (let race = 0; race < MAX_RACES; race++) {
    const tip = await tipOf(context, clone)
    if (tip === '' || (await replaceTip(context, clone, tip, 0)) !== undefined) return
  }
  throw contention()
}

export function keepPruning(context: UpkeepContext): void {
  const { paths, settings } = context
  noteCare(context, {
    ...readCare(paths.local),
    gcAt: settings.now(),
    pruneUntil: settings.now() + PRUNE_PURGED_FOR_MS,
  })
}

function contention(): ConflictError {
  return new ConflictError('other processes kept committing the history', { code: 'history-contention' })
}

function ask(
  { paths, settings }: UpkeepContext,
  args: readonly string[],
  dates: Record<string, string> = {},
) {
  return git({ repository: paths.git, env: settings.env, args, dates })
}

function carePath(local: string): string {
  return join(local, 'history-care')
}

function readCare(local: string): CareNote {
  const none: CareNote = { commitsAtGc: 0 }
  try {
    return { ...none, ...(JSON.parse(readFileSync(carePath(local), 'utf8')) as Partial<CareNote>) }
  } catch {
    return none
  }
}

function noteCare({ paths, settings }: UpkeepContext, note: CareNote): void {
  const path = carePath(paths.local)
  const temporary = `${path}.${randomId(settings.random.bytes(8), 8)}.tmp`
  writeAtomically(path, JSON.stringify(note), { temporary, durable: false })
}

/** Bytes of all files below; those that vanish while we look count nothing. */
export function directorySize(directory: string): number {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.reduce((sum, entry) => {
      const path = join(directory, entry.name)
      const size = entry.isDirectory() ? directorySize(path) : statSync(path, { throwIfNoEntry: false })?.size
      return sum + (size ?? 0)
    }, 0)
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
}
