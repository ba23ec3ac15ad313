import { chmodSync, existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ExternalError } from '../../domain/errors.js'
import type { Mended } from '../../domain/finding.js'
import { randomId } from '../../domain/ids.js'
import { writeAtomically } from '../../system/atomic-write.js'
import { withFileLock } from '../../system/file-lock.js'
import { Appender } from '../appender.js'
import type { CloneIdentity } from '../clone-identity.js'
import { commitHistory } from '../commit-history.js'
import { beginEpoch } from '../log-epoch.js'
import { LogState } from '../log-state.js'
import type { LogOp } from '../record-line.js'
import { nextStamp, type Stamp } from '../stamp.js'
import { writeError } from '../store-errors.js'
import { type Aside, openAside } from './aside.js'
import type { Repository } from './committed-files.js'
import { type ExaminedChain, examineChains } from './examine-chains.js'
import { receipt, type Tally } from './repair-receipt.js'
import { closeSegment, encodeLines, replaceLogFile } from './rewrite-segment.js'
import type { Line } from './scan-lines.js'

export interface RepairContext extends Repository {
  identity: CloneIdentity
}

const LOCK_WAIT_MS = 30_000
/** Writers and compaction go on beside us; what they change between a look and a step is looked at again. */
const MAX_ROUNDS = 5

/** Says that a repair was begun; whoever finds it without a living repair finishes it. */
export function repairNotePath(local: string): string {
  return join(local, 'repairing')
}

/**
 * Makes every chain whole again, beside running writers. Each step leaves a log that is no worse than before and is
 * repeated by the next repair when this one is killed. Originals of all files that are replaced go aside first.
 */
export async function repairLog(context: RepairContext): Promise<Mended> {
  const { paths } = context
  try {
    return await withFileLock(
      join(paths.local, 'repair.lock'),
      { timeoutMs: LOCK_WAIT_MS, purpose: 'repairing the log' },
      () => withoutOthers(context, () => repairLocked(context)),
    )
  } catch (error) {
    // A lock that cannot be made, on a disk that cannot be written.
    const isLock = error instanceof ExternalError && error.code === 'lock-failed'
    throw writeError(paths.root, isLock ? error.cause : error)
  }
}

/** Compaction and exchange change the same files; theirs are short, and each does what it has to do a moment later. */
function withoutOthers<T>({ paths, identity }: RepairContext, work: () => Promise<T>): Promise<T> {
  const options = { timeoutMs: LOCK_WAIT_MS, purpose: 'repairing the log' }
  return withFileLock(join(paths.local, 'compact.lock'), options, () =>
    withFileLock(join(paths.local, `sync-${identity.clone}.lock`), options, work),
  )
}

async function repairLocked(context: RepairContext): Promise<Mended> {
  const { paths, settings } = context
  const aside = openAside(context)
  const tally: Tally = { appended: 0, rewritten: new Set(), restored: 0, overruled: new Map(), lost: [] }
  writeAtomically(repairNotePath(paths.local), `${aside.name}\n`, {
    temporary: `${repairNotePath(paths.local)}.${unique(context)}.tmp`,
  })
  settings.onStep('repair:begun')
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (!(await repairOnce(context, aside, tally))) break
  }
  finishRepair(context, aside)
  await commitRepaired(context)
  settings.onStep('repair:committed')
  rmSync(repairNotePath(paths.local), { force: true })
  return receipt(tally, aside.name)
}

/** @returns whether anything was changed */
async function repairOnce(context: RepairContext, aside: Aside, tally: Tally): Promise<boolean> {
  let { chains } = await examineChains(context, context.identity)
  let isChanged = false
  for (const examined of chains) isChanged = makeReadable(context, examined, aside) || isChanged
  if (isChanged) chains = (await examineChains(context, context.identity)).chains
  for (const { plan, ownership } of chains) {
    for (const line of plan.overruled) tally.overruled.set(line.text, line)
    if (ownership !== 'own' || plan.append.length === 0) continue
    appendLines(context, plan.append)
    tally.appended += plan.append.length
    isChanged = true
  }
  context.settings.onStep('repair:appended')
  for (const examined of chains)
    isChanged = (await rewriteChain(context, examined, aside, tally)) || isChanged
  return isChanged
}

/** A folder in place of a file goes aside; a file of ours that lost its permissions gets them back. */
function makeReadable({ paths }: RepairContext, { chain }: ExaminedChain, aside: Aside): boolean {
  let isChanged = false
  for (const { name, unreadable } of chain.files) {
    if (unreadable === undefined) continue
    const path = join(paths.log, name)
    if (statSync(path).isDirectory()) aside.move(path)
    else chmodSync(path, 0o600)
    isChanged = true
  }
  return isChanged
}

/** As any writer would: without a lock, read back, durable. */
function appendLines(context: RepairContext, lines: readonly Line[]): void {
  const { paths, settings, identity } = context
  const log = new LogState(paths, settings.now)
  const appender = new Appender(paths, log, settings)
  try {
    for (const { record, text } of lines) {
      const request = {
        clone: identity.clone,
        by: record.by,
        stamp: record.t,
        nextStamp: () => freshStamp(context, log.table.greatest),
        // The cast: of what an unknown op means nothing is asked here, its line is written as it stands.
        ops: record.ops as LogOp[],
        line: Buffer.from(`${text}\n`, 'latin1'),
      }
      do log.refresh()
      while (appender.append(request) === 'lost')
    }
  } finally {
    log.close()
  }
}

async function rewriteChain(
  context: RepairContext,
  examined: ExaminedChain,
  aside: Aside,
  tally: Tally,
): Promise<boolean> {
  const { plan, chain, ownership } = examined
  if (plan.rewrite.size === 0 && plan.restore.size === 0) return false
  const { paths, settings } = context
  if (ownership === 'own') {
    for (const name of plan.rewrite.keys()) closeSegment(join(paths.log, name), freshStamp(context, ''))
    settings.onStep('repair:sealed')
  }
  // Sealed now: what is planned from here on is about files that nobody changes any more.
  const { chains } = await examineChains(context, context.identity)
  const fresh = chains.find((one) => one.chain.clone === chain.clone)?.plan ?? plan
  const contents = new Map([...fresh.restore, ...encoded(fresh.rewrite, plan.rewrite)])
  for (const [name, content] of contents) {
    const path = join(paths.log, name)
    if (existsSync(path)) aside.copy(path)
    settings.onStep('repair:aside')
    replaceLogFile(context, name, content)
    tally.rewritten.add(name)
  }
  tally.restored += fresh.missing.filter(({ file }) => contents.has(file)).length
  tally.lost.push(...fresh.lost.map(({ file, junk }) => `${file} at byte ${junk.offset}`))
  return contents.size > 0
}

/** Only files that were sealed before the plan was made. */
function encoded(
  fresh: ReadonlyMap<string, string[]>,
  sealed: ReadonlyMap<string, string[]>,
): Map<string, Buffer> {
  return new Map(
    [...fresh].filter(([name]) => sealed.has(name)).map(([name, texts]) => [name, encodeLines(texts)]),
  )
}

/** The cache may have passed what was put back; so may every process that has the log open. */
export function finishRepair(context: Repository, aside: Aside): void {
  const { paths, settings } = context
  if (existsSync(paths.snapshot)) aside.move(paths.snapshot)
  settings.onStep('repair:cache-dropped')
  beginEpoch(paths, settings)
  settings.onStep('repair:epoch')
}

/** @throws nothing for a repository that git cannot use: that is a finding of its own */
async function commitRepaired(context: RepairContext): Promise<void> {
  await commitHistory({ ...context, isRepaired: true }, 'repaired by gt doctor')
}

function freshStamp({ settings, identity }: RepairContext, greatest: Stamp): Stamp {
  const random = unique({ settings }).slice(0, 6)
  return nextStamp({ nowMs: settings.now(), greatest, floor: '', clone: identity.clone, random })
}

function unique({ settings }: Pick<RepairContext, 'settings'>): string {
  return randomId(settings.random.bytes(8), 8)
}
