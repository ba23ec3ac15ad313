import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { branchOf, runGit } from '../git-process.js'
import { CLONE_PATTERN, listLog } from '../layout.js'
import { adoptRecords } from './adopt-records.js'
import { applyChain, heldContent, heldFiles, writeBlob } from './apply-chain.js'
import { type ChainTree, readChainTree, readObjects } from './chain-tree.js'
import { countedLines } from './counted-lines.js'
import { holdsFacts } from './holds-facts.js'
import { type ChainPlan, isBase, linesOf, planChain } from './plan-chain.js'
import { readChain } from './read-chain.js'
import { pushRef, remoteRef, trackedTips } from './remote-git.js'
import { followRetired } from './retire.js'
import { countNew, holdsAllOf, sizesHere } from './send-own.js'
import type { SyncRun } from './sync-context.js'
import { withoutCompaction } from './without-compaction.js'

const CLONE = new RegExp(`^${CLONE_PATTERN}$`)

/** Takes in what the last fetch brought of other chains; each chain for itself, so that a bad one holds up no other. */
export async function receiveChains(run: SyncRun): Promise<void> {
  const tips = await trackedTips(run.call)
  const settled = [run.identity.clone]
  for (const former of run.identity.formerly) {
    if (run.dryRun || (await settleFormer(run, former, tips.get(former)))) settled.push(former)
  }
  for (const [clone, tip] of tips) {
    if (settled.includes(clone)) continue
    if (CLONE.test(clone)) await receiveChain(run, clone, tip)
    else refuse(run, clone, 'not-a-chain', 'its name is no clone id')
  }
  if (!run.dryRun) await followRetired(run, tips)
  const isThere = (clone: string) => settled.includes(clone) || tips.has(clone)
  run.receipt.missing = [...listLog(run.paths.log).keys()].filter((clone) => !isThere(clone)).sort()
}

function refuse(run: SyncRun, clone: string, code: string, why: string): void {
  run.receipt.refused.push({ clone, code, why })
}

async function receiveChain(run: SyncRun, clone: string, tip: string): Promise<void> {
  if (isCurrent(run, clone, tip)) return
  const reading = await readChainTree(run.call, clone, tip)
  if (reading.kind === 'refused') {
    refuse(run, clone, reading.code, reading.why)
    return
  }
  const { tree } = reading
  const held = heldFiles(run, clone)
  const verdict = planChain({ clone, held, incoming: await readChanged(run, clone, tree, held) })
  if (verdict.kind === 'refused') refuse(run, clone, verdict.code, verdict.why)
  else await take(run, clone, { tip, tree, plan: verdict })
}

/** Taken over already, and still here. */
function isCurrent(run: SyncRun, clone: string, tip: string): boolean {
  const applied = run.note.chains[clone]
  if (applied?.tip !== tip) return false
  const names = Object.keys(applied.log)
  return names.length > 0 && names.every((name) => existsSync(join(run.paths.log, name)))
}

/** Files that are the same objects as the last time are not read again. */
async function readChanged(
  run: SyncRun,
  clone: string,
  tree: ChainTree,
  held: ReadonlyMap<string, unknown>,
): Promise<Map<string, Buffer | undefined>> {
  const applied = run.note.chains[clone]?.log ?? {}
  const isSame = (name: string, oid: string) => applied[name] === oid && held.has(name)
  const changed = [...tree.log].filter(([name, { oid }]) => !isSame(name, oid))
  const contents = await readObjects(
    run.call,
    changed.map(([, { oid }]) => oid),
  )
  const incoming = new Map<string, Buffer | undefined>([...tree.log.keys()].map((name) => [name, undefined]))
  for (const [i, [name]] of changed.entries()) incoming.set(name, contents[i] ?? Buffer.alloc(0))
  return incoming
}

interface Taking {
  tip: string
  tree: ChainTree
  plan: ChainPlan
  aside?: string
}

/** Blobs, then files, then the note: at no moment is a line here whose text is not. */
async function take(run: SyncRun, clone: string, { tip, tree, plan, aside }: Taking): Promise<void> {
  const { receipt } = run
  if (plan.records > 0 || plan.bytes > 0)
    receipt.received.push({ clone, records: plan.records, bytes: plan.bytes })
  receipt.damagedLines += plan.damagedLines
  if (run.dryRun) return
  if (!(await takeBlobs(run, clone, tree))) return
  applyChain(run, plan, aside)
  const log = Object.fromEntries(
    [...tree.log]
      .filter(([name]) => existsSync(join(run.paths.log, name)))
      .map(([name, { oid }]) => [name, oid]),
  )
  run.note.chains[clone] = { tip, log }
  run.save()
  run.settings.onStep('sync:applied')
}

/** @returns false when a blob is not what its name says */
async function takeBlobs(run: SyncRun, clone: string, tree: ChainTree): Promise<boolean> {
  const missing = [...tree.blobs].filter(([name]) => !existsSync(join(run.paths.blob, name)))
  if (missing.length === 0) return true
  const { createHash } = await import('node:crypto')
  for (const [name, { oid }] of missing) {
    const [content = Buffer.alloc(0)] = await readObjects(run.call, [oid])
    if (createHash('sha256').update(content).digest('hex') !== name) {
      refuse(run, clone, 'damaged-blob', `blob/${name.slice(0, 12)} is not what its name says`)
      return false
    }
    writeBlob(run, name, content)
  }
  return true
}

/**
 * The chain of an id that we wrote under before. Where nobody else has more of it, ours goes out under its own name; what the
 * remote's lacks and cannot get that way is taken over into our present chain. Then it is a chain like any other's.
 *
 * @returns false when it is one already
 */
async function settleFormer(run: SyncRun, clone: string, tip: string | undefined): Promise<boolean> {
  if (heldFiles(run, clone).size === 0) return false
  return withoutCompaction(run, async () => settleFormerNow(run, clone, tip))
}

async function settleFormerNow(run: SyncRun, clone: string, tip: string | undefined): Promise<boolean> {
  const held = heldFiles(run, clone)
  if (held.size === 0 || (tip !== undefined && isCurrent(run, clone, tip) && isUnchanged(run, clone)))
    return false
  const theirs = tip === undefined ? undefined : await readChain(run, clone, tip)
  if (theirs?.kind === 'refused') return false
  // A base of our own making holds what no file of theirs need hold, however far theirs reaches.
  if (theirs !== undefined && !holdsOwnBase(run, clone) && continues(run, clone, theirs.log)) return false
  if (theirs === undefined || holdsAllOf(run, clone, theirs)) {
    await publishFormer(run, clone, tip)
    return true
  }
  const there = new Set([...theirs.log.values()].flatMap((content) => [...linesOf(content)]))
  const here = new Set(countedLines(run, run.identity.clone).map(({ line }) => line))
  const lacking = countedLines(run, clone).filter(({ line }) => !there.has(line) && !here.has(line))
  adoptRecords(
    run,
    run.identity.clone,
    clone,
    lacking.map(({ record }) => record),
  )
  if (lacking.length > 0) run.hasMoreToSend = true
  run.settings.onStep('sync:former-adopted')
  const plan = planChain({ clone, held: new Map(), incoming: theirs.log })
  if (plan.kind === 'refused') return false
  const names = plan.writes.map(({ name }) => name)
  plan.deletes = [...held.keys()].filter((name) => !names.includes(name))
  const aside = join(run.paths.local, `replaced-${clone}-${run.settings.now()}`)
  await take(run, clone, { tip: theirs.tip, tree: theirs.tree, plan, aside })
  return true
}

/** Whether the remote's chain says all that our copy says, so that it may replace it like any other's. */
function continues(run: SyncRun, clone: string, theirs: ReadonlyMap<string, Buffer>): boolean {
  const isGrown = planChain({ clone, held: heldFiles(run, clone), incoming: theirs }).kind === 'apply'
  return isGrown && holdsFacts(clone, theirs, heldContent(run, clone), run.settings.now)
}

/** Whether nothing was written to our copy since it was taken over: late lines of a process that held the old id. */
function isUnchanged(run: SyncRun, clone: string): boolean {
  const applied = run.note.chains[clone]?.log ?? {}
  return [...heldFiles(run, clone).keys()].every((name) => applied[name] !== undefined)
}

function holdsOwnBase(run: SyncRun, clone: string): boolean {
  const applied = run.note.chains[clone]?.log ?? {}
  return [...heldFiles(run, clone).keys()].some((name) => isBase(name) && applied[name] === undefined)
}

async function publishFormer(run: SyncRun, clone: string, expected: string | undefined): Promise<void> {
  const { repository, env, remote } = run.call
  const found = await runGit({ repository, env, args: ['rev-parse', '--verify', '--quiet', branchOf(clone)] })
  const commit = found.stdout.trim()
  if (found.exitCode !== 0 || commit === expected) return
  const ref = remoteRef(remote, clone)
  // Stale: the one who has it wrote meanwhile; the next sync looks again.
  if ((await pushRef(run.call, { ref, value: commit, expected })) === 'stale') return
  const sent = countNew(run, { sizes: sizesHere(run, clone), known: {} })
  run.receipt.sent.records += sent.records
  run.receipt.sent.bytes += sent.bytes
  run.settings.onStep('sync:former-published')
}
