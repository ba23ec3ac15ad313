import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../ports/clock.js'
import type { Repositories } from '../ports/repositories.js'
import { withFileLock } from '../system/file-lock.js'
import { addWorktree } from './add-worktree.js'
import { dropCandidate, prepareCandidate } from './candidate.js'
import { prepareRig } from './clone.js'
import { excludePatterns, unexcludePatterns } from './exclude.js'
import { createGit } from './git-command.js'
import { gitEnvironment } from './git-environment.js'
import { commitsHolding, findClone, isTracked } from './inspect-repository.js'
import { isLanded, landCandidate, targetHead } from './landing.js'
import { limitConcurrency } from './limit-concurrency.js'
import { deleteBranch, publishBranch } from './publish.js'
import { removeWorktree } from './remove-worktree.js'
import type { GitContext } from './repository.js'
import { restoreTree } from './restore-tree.js'
import { listSalvage, salvageWorktree } from './salvage.js'
import { diffStat, worktreeState } from './worktree-state.js'

export interface RepositoriesOptions {
  townRoot: string
  /** Locks, and notes of what was begun. The same for all processes of a town. */
  lockDir: string
  clock?: Clock
  /** The caller's environment; left out: that of the process. */
  env?: NodeJS.ProcessEnv
  /** Called between the steps of long operations. Tests stop the process there. */
  onStep?: (step: string) => void
}

/** Long enough for a first clone by another process; a dead holder's lock is broken at once. */
const LOCK_TIMEOUT_MS = 10 * 60_000
/** Checkout uses this many processes of its own; measured: more than four gains nothing. */
const MAX_CHECKOUT_WORKERS = 4

export function createRepositories(options: RepositoriesOptions): Repositories {
  const context = createContext(options)
  return {
    prepare: (rig) => prepareRig(context, rig),
    findClone: (path) => findClone(context, path),
    targetHead: (rig, how) => targetHead(context, rig, how),
    addWorktree: (request) => addWorktree(context, request),
    worktreeState: (rig, path, base) =>
      worktreeState(context, rig, base === undefined ? { path } : { path, base }),
    salvage: (request) => salvageWorktree(context, request),
    restoreTree: (request) => restoreTree(context, request),
    removeWorktree: (request) => removeWorktree(context, request),
    deleteBranch: (rig, branch, expected) => deleteBranch(context, rig, { branch, expected }),
    listSalvage: (rig) => listSalvage(context, rig),
    exclude: (rig, patterns) => excludePatterns(context, rig, patterns),
    unexclude: (rig) => unexcludePatterns(context, rig),
    isTracked: (path, file) => isTracked(context, path, file),
    publish: (rig, branch, head) => publishBranch(context, rig, { branch, head }),
    prepareCandidate: (request) => prepareCandidate(context, request),
    dropCandidate: (rig, path) => dropCandidate(context, rig, path),
    land: (request) => landCandidate(context, request),
    isLanded: (rig, sha) => isLanded(context, rig, sha),
    diffStat: (path, base) => diffStat(context, path, base),
    commitsHolding: (rig, query) => commitsHolding(context, rig, query),
  }
}

function createContext(options: RepositoriesOptions): GitContext {
  const clock = options.clock ?? { now: () => Date.now(), sleep: (ms: number) => sleep(ms) }
  const env = gitEnvironment(options.env ?? process.env)
  const lockDir = resolve(options.lockDir)
  mkdirSync(lockDir, { recursive: true, mode: 0o700 })
  const cores = availableParallelism()
  // Waiters of this process queue up in memory, so that only one of them polls the file.
  const queues = new Map<string, Promise<unknown>>()
  return {
    git: createGit({ env, sleep: (ms) => clock.sleep(ms) }),
    env,
    townRoot: resolve(options.townRoot),
    lockDir,
    clock,
    onStep: options.onStep ?? (() => undefined),
    lock: (name, fn) => {
      const path = isAbsolute(name) ? `${name}.lock` : join(lockDir, `${name}.lock`)
      const locked = () => withFileLock(path, { timeoutMs: LOCK_TIMEOUT_MS, purpose: name }, fn)
      const mine = (queues.get(path) ?? Promise.resolve()).then(locked, locked)
      queues.set(path, mine)
      const forget = () => {
        if (queues.get(path) === mine) queues.delete(path)
      }
      mine.then(forget, forget)
      return mine
    },
    limitCheckouts: limitConcurrency(cores),
    clones: new Map(),
    checkoutWorkers: Math.min(MAX_CHECKOUT_WORKERS, cores),
  }
}
