import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding, Mended } from '../../domain/finding.js'
import { randomId } from '../../domain/ids.js'
import { type CloneIdentity, ownIdentity } from '../clone-identity.js'
import { commitHistory } from '../commit-history.js'
import { branchOf, git, initRepository, runGit } from '../git-process.js'
import { syncState } from '../sync/sync-state.js'
import { uncommittedForMs } from '../uncommitted.js'
import { openAside } from './aside.js'
import type { Repository } from './committed-files.js'

const MAX_LOOSE = 2000
const MAX_UNSAVED_MS = 600_000
const MAX_SKEW_MS = 300_000
const ASK_TIMEOUT_MS = 5000
/** Every object is read and hashed up to this size; beyond it only with `--deep`. */
const QUICK_BYTES = 64 * 1024 * 1024

/** The store's own repository: a copy of the log, so whatever is wrong with it can be made again. */
export async function checkGit(
  at: Repository,
  identity: CloneIdentity | undefined,
  isDeep: boolean,
): Promise<Finding[]> {
  const damage = await findDamage(at, isDeep)
  if (damage !== undefined) return [damaged(at, identity, damage)]
  const findings = [
    ...(await checkLoose(at)),
    ...checkUncommitted(at, identity),
    ...checkUnsent(at),
    ...(await checkClock(at)),
  ]
  const isWell = findings.every(({ severity }) => severity === 'note' || severity === 'ok')
  return [
    ...findings,
    ...(isWell ? [{ id: 'history', severity: 'ok' as const, what: 'history: the repository is whole' }] : []),
  ]
}

/** @throws ExternalError code `git-missing` */
async function findDamage(at: Repository, isDeep: boolean): Promise<string | undefined> {
  if (!existsSync(join(at.paths.git, 'HEAD'))) return 'it is gone'
  const { sizeBytes } = await countObjects(at)
  const how = isDeep || sizeBytes <= QUICK_BYTES ? '--full' : '--connectivity-only'
  const check = await runGit({ ...place(at), args: ['fsck', how, '--no-dangling', '--no-progress'] })
  const said = (check.stderr + check.stdout)
    .split('\n')
    .find((line) => /^(error|broken|missing|fatal)/.test(line))
  if (check.exitCode === 0 && said === undefined) return undefined
  return said ?? `git fsck ended with ${check.exitCode}`
}

async function countObjects(at: Repository): Promise<{ loose: number; sizeBytes: number }> {
  const { stdout } = await runGit({ ...place(at), args: ['count-objects', '-v'] })
  const number = (key: string) => Number(new RegExp(`^${key}: (\\d+)`, 'm').exec(stdout)?.[1] ?? 0)
  return { loose: number('count'), sizeBytes: (number('size') + number('size-pack')) * 1024 }
}

function damaged(at: Repository, identity: CloneIdentity | undefined, why: string): Finding {
  const finding = {
    id: 'history-damaged',
    severity: 'error' as const,
    what: `the history of the store is damaged: ${why}`,
    where: '.git',
  }
  if (identity === undefined) return finding
  return {
    ...finding,
    fix: {
      what: 'set it aside and make it again from the log',
      apply: async () => remake(at, ownIdentity(at.paths, at.settings)),
    },
  }
}

/** What was fetched is fetched again by the next sync. */
async function remake(at: Repository, identity: CloneIdentity): Promise<Mended> {
  const { paths, settings } = at
  const aside = openAside(at)
  const moved = existsSync(paths.git) ? aside.move(paths.git) : undefined
  // Its own name: what two doctors made in one place could be put in place by one while the other's git still writes there.
  const fresh = join(paths.local, `fresh-${randomId(settings.random.bytes(8), 8)}.git`)
  try {
    await initRepository(fresh, branchOf(identity.clone), settings.env)
    // In one step, so that nobody meets half a repository; a process that was quicker has made one, and that is as good.
    if (!existsSync(paths.git)) renameSync(fresh, paths.git)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  await commitHistory({ paths, settings, identity }, 'made again from the log')
  return {
    did: 'made the history again from the log',
    ...(moved === undefined ? {} : { undo: moved }),
  }
}

async function checkLoose(at: Repository): Promise<Finding[]> {
  const { loose } = await countObjects(at)
  if (loose <= MAX_LOOSE) return []
  return [
    {
      id: 'history-loose',
      severity: 'warning',
      what: `${loose} loose objects in the history: it takes many times the space it needs`,
      where: '.git',
      fix: {
        what: 'pack them',
        async apply() {
          // As the packing in the background does it.
          const args = ['-c', 'gc.writeCommitGraph=false', 'gc', '--quiet', '--prune=2.weeks.ago']
          await git({ ...place(at), args })
          return { did: `packed ${loose} objects of the history` }
        },
      },
    },
  ]
}

function checkUncommitted(at: Repository, identity: CloneIdentity | undefined): Finding[] {
  const forMs = identity === undefined ? undefined : uncommittedForMs(at.paths, identity, at.settings.now())
  if (identity === undefined || forMs === undefined || forMs < MAX_UNSAVED_MS) return []
  return [
    {
      id: 'history-behind',
      severity: 'warning',
      what: `the log is not in the history since ${Math.floor(forMs / 60_000)} minutes`,
      where: '.git',
      fix: {
        what: 'commit it',
        async apply() {
          const commit = await commitHistory({ ...at, identity: ownIdentity(at.paths, at.settings) })
          return { did: commit === undefined ? 'found nothing to commit' : `committed ${commit}` }
        },
      },
    },
  ]
}

function checkUnsent({ paths, settings }: Repository): Finding[] {
  const state = syncState(paths, settings)
  const forMs = state?.unsentForMs ?? 0
  if (state === undefined || forMs < MAX_UNSAVED_MS) return []
  const why = state.lastError === undefined ? '' : `; the last try failed: ${state.lastError.message}`
  return [
    {
      id: 'history-unsent',
      severity: 'warning',
      what: `records wait to be sent to ${state.remote} since ${Math.floor(forMs / 60_000)} minutes${why}`,
      hint: 'gt sync',
    },
  ]
}

/** Only a server that speaks HTTP tells its time without being logged in to. */
async function checkClock({ paths, settings }: Repository): Promise<Finding[]> {
  const remote = syncState(paths, settings)?.remote
  if (remote === undefined) return []
  const theirsMs = /^https?:/.test(remote) ? await askTime(remote) : undefined
  if (theirsMs === undefined) {
    return [
      {
        id: 'clock',
        severity: 'note',
        what: 'the clock was not compared: the remote does not tell the time',
      },
    ]
  }
  const offMs = settings.now() - theirsMs
  if (Math.abs(offMs) <= MAX_SKEW_MS) return []
  return [
    {
      id: 'clock',
      severity: 'warning',
      what: `the clock is ${Math.round(Math.abs(offMs) / 60_000)} minutes ${offMs > 0 ? 'ahead of' : 'behind'} the remote`,
      hint: 'set the clock: the later of two changes wins',
    },
  ]
}

async function askTime(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    })
    const ms = Date.parse(answer.headers.get('date') ?? '')
    return Number.isNaN(ms) ? undefined : ms
  } catch {
    return undefined
  }
}

function place({ paths, settings }: Repository) {
  return { repository: paths.git, env: settings.env }
}
