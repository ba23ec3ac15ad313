import { ConflictError } from '../domain/errors.js'
import type { Merge } from '../domain/merge.js'
import type { Gate, Rig } from '../domain/rig.js'
import { passedEnv } from '../domain/session-env.js'
import type { Repositories, Sha } from '../ports/repositories.js'
import { getRig } from './find-entity.js'
import type { Town } from './town.js'

export type MergeResult =
  | { kind: 'merged'; sha: Sha; proof: string }
  | { kind: 'returned'; reason: string; evidence: string }
  | { kind: 'waiting'; reason: string }

/** How often the target may move away under us before the entry waits for the next run. */
const MAX_RACES = 5

/**
 * One entry, as far as it goes: rebase onto the target in a throw-away worktree, gates on exactly that tree, target moved by
 * compare-and-swap, landing read back. Repeatable after a kill: a candidate that is on the target already is the proof.
 */
export async function tryMerge(town: Town, merge: Merge, log: (line: string) => void): Promise<MergeResult> {
  const rig = getRig(town, merge.rig)
  const repositories = await town.repositories()
  const before = await settleLanding(town, merge)
  if (before !== undefined) return before
  const path = town.places.mergeWorktree(rig.name)
  try {
    for (let race = 0; race < MAX_RACES; race++) {
      const result = await raceOnce(town, repositories, rig, merge, path, log)
      if (result.kind !== 'moved') return result
      log(`${merge.shownId}: ${rig.branch} moved to ${result.actual.slice(0, 10)} meanwhile, once more`)
    }
  } finally {
    await repositories.dropCandidate(rig, path)
  }
  return { kind: 'waiting', reason: `${rig.branch} moved ${MAX_RACES} times while the gates ran` }
}

/**
 * Ends a landing that a killed runner began: a checkout of the target that followed half-way is finished or taken back.
 * @returns what it came to; undefined when there was none, or it never reached the target
 */
export async function settleLanding(town: Town, merge: Merge): Promise<MergeResult | undefined> {
  if (merge.candidate === undefined) return undefined
  const rig = getRig(town, merge.rig)
  const repositories = await town.repositories()
  const target = await repositories.targetHead(rig)
  const isLanded = await repositories.isLanded(rig, merge.candidate)
  // Nothing is left to move; `land` looks after what stands half done first.
  const landing = await repositories.land({
    rig,
    candidate: isLanded ? merge.candidate : target,
    expected: target,
  })
  if (landing.kind === 'blocked') return { kind: 'waiting', reason: landing.why }
  if (!isLanded) return undefined
  return { kind: 'merged', sha: merge.candidate, proof: 'found on the target by a later run' }
}

async function raceOnce(
  town: Town,
  repositories: Repositories,
  rig: Rig,
  merge: Merge,
  path: string,
  log: (line: string) => void,
): Promise<MergeResult | { kind: 'moved'; actual: Sha }> {
  const target = await repositories.targetHead(rig)
  const candidate = await repositories.prepareCandidate({ rig, head: merge.head, target, path })
  town.step('merge.rebased')
  if (candidate.kind === 'conflict') {
    return {
      kind: 'returned',
      reason: `it conflicts with ${rig.branch} in ${candidate.files.join(', ')}`,
      evidence: `${candidate.detail}\n\nBring your branch up to date (git rebase ${targetRef(rig)}), solve it, commit, then gt done.`,
    }
  }
  if (candidate.kind === 'empty')
    return { kind: 'merged', sha: target, proof: `its changes are on ${rig.branch} already` }

  const red = await runGates(town, rig, merge, { path, candidate: candidate.sha }, log)
  if (red) return red
  town.step('merge.gated')

  rememberCandidate(town, merge, candidate.sha)
  town.step('merge.candidate')
  const landing = await repositories.land({ rig, candidate: candidate.sha, expected: target })
  town.step('merge.landed')
  if (landing.kind === 'moved') return landing
  if (landing.kind === 'blocked') return { kind: 'waiting', reason: landing.why }
  if (!(await repositories.isLanded(rig, candidate.sha))) {
    return {
      kind: 'waiting',
      reason: `${candidate.sha.slice(0, 10)} was pushed but is not on ${rig.branch} when read back`,
    }
  }
  return { kind: 'merged', sha: candidate.sha, proof: landing.how }
}

function targetRef(rig: Rig): string {
  return rig.source.kind === 'url' ? `origin/${rig.branch}` : rig.branch
}

/** Recorded before the target moves, so that a runner killed right after it can be told from one killed right before. */
function rememberCandidate(town: Town, merge: Merge, sha: Sha): void {
  const decision = town.ledger.transact('merge-queue', (view) => {
    const current = view.get(merge.id)
    if (current?.generation !== merge.generation) return { lost: true }
    return { lost: false, ops: [{ o: 'set' as const, id: merge.id, f: { candidate: sha } }] }
  })
  if (decision.lost) {
    throw new ConflictError(`${merge.shownId} was taken over by another runner`, { code: 'claim-lost' })
  }
}

async function runGates(
  town: Town,
  rig: Rig,
  merge: Merge,
  { path, candidate }: { path: string; candidate: Sha },
  log: (line: string) => void,
): Promise<MergeResult | undefined> {
  const env = { ...passedEnv(town.env, town.config.passEnv), CI: 'true', GT_GATE: town.root }
  const repositories = await town.repositories()
  for (const gate of rig.gates) {
    const logFile = town.places.log(`gates/${merge.shownId}-${gate.name.replace(/[^A-Za-z0-9._-]/g, '_')}`)
    const result = await town.host.runShell({
      line: gate.run,
      cwd: path,
      env,
      timeoutMs: gate.timeoutMs,
      logFile,
    })
    log(
      `${merge.shownId}: gate ${gate.name}: ${result.exitCode === 0 ? 'green' : 'red'} in ${(result.durationMs / 1000).toFixed(1)} s`,
    )
    await endGates(town, log)
    if (result.exitCode === 0) {
      const changed = await repositories.worktreeState(rig, path)
      const touched = changed.dirty.filter((line) => !line.startsWith('??'))
      if (changed.head === candidate && touched.length === 0) continue
      // What lands must be what passed: a gate that formats or generates has judged another tree.
      return {
        kind: 'returned',
        reason: `gate "${gate.name}" changed the tree it was to judge`,
        evidence: `$ ${gate.run}\n${changed.head === candidate ? touched.slice(0, 20).join('\n') : `it moved HEAD to ${changed.head}`}\n\nCommit what the gate writes, or let it only check.`,
      }
    }
    return {
      kind: 'returned',
      reason: `gate "${gate.name}" is red (${gateEnd(gate, result)})`,
      evidence: `$ ${gate.run}\n${result.tail}`,
    }
  }
  return undefined
}

/** What a gate left running (a daemon, or everything when its runner was killed) must not see the next tree. */
export async function endGates(town: Town, log: (line: string) => void): Promise<void> {
  const ended = await town.host.endMarked(`GT_GATE=${town.root}`)
  if (ended > 0) log(`ended ${ended} processes that a gate had left running`)
}

function gateEnd(gate: Gate, result: { exitCode?: number; signal?: string; timedOut: boolean }): string {
  if (result.timedOut) return `not done after ${gate.timeoutMs / 1000} s`
  return result.exitCode === undefined ? `killed by ${result.signal}` : `exit ${result.exitCode}`
}
