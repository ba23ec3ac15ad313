import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { BugError } from '../../domain/errors.js'
import { syncDirectory, writeFully } from '../../system/atomic-write.js'
import { newCursor } from '../chain-cursor.js'
import { readBase } from '../chain-reader.js'
import { EntityTable } from '../entity-table.js'
import { baseName, basePartName } from '../layout.js'
import { type BaseContent, baseLines, cutIntoParts } from './base-lines.js'

export interface BasePlace {
  log: string
  clone: string
  /** 6 random characters. */
  attempt: string
  limitBytes: number
  isDurable: boolean
  now: () => number
  onStep: (step: string) => void
}

const TEMPORARY = /^\.compact-[0-9a-z]{6}-\d+\.tmp$/
/** Nobody writes a base for this long; what is older has no writer any more. */
export const STALE_MS = 3_600_000

/**
 * Writes a base so that a reader sees all of it or nothing: temporary files, flushed, read back and compared; then names, the
 * trailer's last; then the directory. Nothing is deleted here.
 */
export function writeBase(place: BasePlace, content: BaseContent): void {
  const parts = cutIntoParts(baseLines(content), place.limitBytes)
  const temporaries = parts.map((_, i) => `.compact-${place.attempt}-${i + 1}.tmp`)
  try {
    for (const [i, part] of parts.entries()) writeTemporary(place, temporaries[i] ?? '', part)
    place.onStep('compact:written')
    prove(place, content, temporaries, parts)
    place.onStep('compact:proved')
    const names = finalNames(place, content.upTo, parts.length)
    for (const [i, name] of names.entries()) {
      renameSync(join(place.log, temporaries[i] ?? ''), join(place.log, name))
      place.onStep('compact:renamed')
    }
  } catch (error) {
    for (const name of temporaries) rmSync(join(place.log, name), { force: true })
    throw error
  }
  if (place.isDurable) syncDirectory(place.log)
  place.onStep('compact:named')
}

function writeTemporary({ log, isDurable }: BasePlace, name: string, bytes: Buffer): void {
  const fd = openSync(join(log, name), 'wx', 0o600)
  try {
    writeFully(fd, bytes)
    if (isDurable) fdatasyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** A base may stand for its segments only when reading it gives what they gave, to the byte. */
function prove(
  place: BasePlace,
  content: BaseContent,
  temporaries: readonly string[],
  parts: readonly Buffer[],
): void {
  const table = new EntityTable(undefined, place.now)
  readBase({ logDirectory: place.log, table }, newCursor(place.clone), content.upTo, temporaries)
  const again = cutIntoParts(baseLines({ ...content, table }), place.limitBytes)
  const isSame =
    table.damage.badLines + table.damage.tornLines + table.damage.unknownOps === 0 &&
    again.length === parts.length &&
    again.every((bytes, i) => bytes.equals(readFileSync(join(place.log, temporaries[i] ?? ''))))
  if (isSame) return
  throw new BugError('a compacted file does not say what its segments say; the segments stay', {
    code: 'base-differs',
    details: { clone: place.clone, upTo: content.upTo },
  })
}

function finalNames({ clone, attempt }: BasePlace, upTo: number, count: number): string[] {
  if (count === 1) return [baseName(clone, upTo)]
  return Array.from({ length: count }, (_, i) => basePartName({ clone, upTo, attempt }, i + 1, count))
}

/** What a compaction that was killed left under temporary names. */
export function removeStaleTemporaries(log: string, nowMs: number): void {
  for (const name of readdirSync(log)) {
    if (TEMPORARY.test(name) && isStale(join(log, name), nowMs)) rmSync(join(log, name), { force: true })
  }
}

export function isStale(path: string, nowMs: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && Math.abs(nowMs - stat.mtimeMs) > STALE_MS
}
