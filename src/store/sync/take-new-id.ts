import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { randomId } from '../../domain/ids.js'
import { writeAtomically } from '../../system/atomic-write.js'
import { sealSegment } from '../appender.js'
import {
  type CloneIdentity,
  currentPlace,
  encodeIdentity,
  freshIdentity,
  readIdentity,
  settle,
} from '../clone-identity.js'
import { FORMAT, segmentName } from '../layout.js'
import { encodeRecord } from '../record-line.js'
import { nextStamp } from '../stamp.js'
import { chainFiles } from '../uncommitted.js'
import { countedLines } from './counted-lines.js'
import { isBase, linesOf } from './plan-chain.js'
import type { ChainReading } from './read-chain.js'
import type { SyncRun } from './sync-context.js'
import { withoutCompaction } from './without-compaction.js'

/**
 * Somebody else writes under our id (a copied directory, a machine image, a backup put back). From now on we write under a
 * new one, whose first segment holds, line by line, what the remote's chain lacks. The old chain becomes the other's: our
 * copy of it is replaced when it is taken in like any former chain (see former-chains).
 */
export async function takeNewId(run: SyncRun, theirs: ChainReading): Promise<void> {
  await withoutCompaction(run, async () => takeNewIdNow(run, theirs))
}

async function takeNewIdNow(run: SyncRun, theirs: ChainReading): Promise<void> {
  const { paths, settings } = run
  const old = run.identity
  const fresh = intendedIdentity(run)
  const there = new Set<string>()
  if (theirs.kind === 'chain')
    for (const content of theirs.log.values()) for (const l of linesOf(content)) there.add(l)
  // Lines that another line of the chain had made void must stay so: in a chain of their own they would count.
  const lines = countedLines(run, old.clone).filter(({ line }) => !there.has(line))
  const path = join(paths.log, segmentName(fresh.clone, 1))
  if (lines.length > 0) {
    const head = encodeRecord(stampFor(run, fresh.clone), 'gt', [{ o: 'head', format: FORMAT }])
    const content = Buffer.concat([head, Buffer.from(lines.map(({ line }) => `${line}\n`).join(''), 'utf8')])
    writeAtomically(path, content, { temporary: temporaryPath(run), durable: settings.isDurable })
  }
  settings.onStep('sync:id-prepared')
  const agreed = settle(paths, old.clone, fresh)
  settings.onStep('sync:id-taken')
  // Another process was quicker; what is here is taken over into its chain as that of any former id.
  if (agreed.clone !== fresh.clone) rmSync(path, { force: true })
  sealOld(run, old.clone)
  rmSync(intentPath(run), { force: true })
  run.identity = agreed
  run.receipt.clone = agreed.clone
  run.receipt.renamed = { from: old.clone, to: agreed.clone, records: lines.length }
  settings.onStep('sync:id-sealed')
}

/** Written down first, so that a run after a kill goes on with the same id instead of leaving chains behind. */
function intendedIdentity(run: SyncRun): CloneIdentity {
  const { paths, settings, identity } = run
  const intended = readIdentityIfAny(intentPath(run))
  if (intended?.formerly.at(-1) === identity.clone) return intended
  const fresh = freshIdentity(settings, currentPlace(paths.root), [...identity.formerly, identity.clone])
  writeAtomically(intentPath(run), encodeIdentity(fresh), {
    temporary: temporaryPath(run),
    durable: settings.isDurable,
  })
  return fresh
}

/** A run that was killed right after it had taken its new id. */
export function forgetIntent(run: SyncRun): void {
  if (readIdentityIfAny(intentPath(run))?.clone === run.identity.clone)
    rmSync(intentPath(run), { force: true })
}

function readIdentityIfAny(path: string): CloneIdentity | undefined {
  try {
    return readIdentity(path)
  } catch {
    return undefined
  }
}

function intentPath({ paths }: SyncRun): string {
  return join(paths.local, 'next-clone')
}

function temporaryPath({ paths, settings }: SyncRun): string {
  return join(paths.local, `incoming-${randomId(settings.random.bytes(10), 10)}.tmp`)
}

function stampFor({ settings }: SyncRun, clone: string): string {
  const random = randomId(settings.random.bytes(6), 6)
  return nextStamp({ nowMs: settings.now(), greatest: '', floor: '', clone, random })
}

/**
 * Ends the old chain here: a process that still holds the old id finds its line behind the seal, looks who it is, and writes
 * it again under the new one.
 */
function sealOld(run: SyncRun, clone: string): void {
  const newest = chainFiles(run.paths, clone)
    .filter((name) => !isBase(name))
    .at(-1)
  if (newest === undefined) return
  sealSegment(join(run.paths.log, newest), stampFor(run, clone), run.settings.isDurable)
}
