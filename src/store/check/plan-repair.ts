import type { ChainReference } from './chain-reference.js'
import { isStructural, judgeChain, splitAtSeal, wantedGenerations } from './chain-verdicts.js'
import { type LostLine, lostIn } from './lost-lines.js'
import {
  type MissingLine,
  needsItsPlace,
  orderedLines,
  type Planned,
  planRewrites,
  textsOf,
} from './plan-rewrites.js'
import type { Line } from './scan-lines.js'
import { countingFiles, type ScannedChain } from './scan-log.js'

export interface RepairPlan {
  /** Lines that history holds and the chain does not. */
  missing: MissingLine[]
  /** To be appended to the end of the chain, as they stand. */
  append: Line[]
  /** Whole new contents: segments that cannot be mended by appending. */
  rewrite: Map<string, string[]>
  /** Bases to be put back, byte by byte. */
  restore: Map<string, Buffer>
  /** Missing lines that cannot count any more, because what they claim was given to others meanwhile. */
  overruled: Line[]
  /** Damaged lines of which history knows nothing. */
  lost: LostLine[]
}

/**
 * How one chain becomes whole again.
 *
 * A record that is put back may void a later one, and what counts now must go on to count. So a record that wants a
 * generation nobody has yet is appended at the end, where the order of lines decides between it and live writers, and
 * a record that would void others stands behind them. In their old place stand those that count only there (the `new` of
 * something that moved on since), and everything else of a file that must be written anew.
 *
 * @param isWritten - processes append to this chain now; of others the committed order is simply restored
 */
export function planRepair(chain: ScannedChain, reference: ChainReference, isWritten: boolean): RepairPlan {
  const files = countingFiles(chain)
  const before = judgeChain(
    chain.clone,
    files.map(({ lines }) => lines),
  )
  const live = new Set(files.flatMap(({ lines }) => splitAtSeal(lines).counting.map(({ text }) => text)))
  const missing = missingLines(reference, live)
  const planned = { chain, files, reference, before, missing, isWritten }
  const rewrite = planRewrites(planned)
  const append = planAppends(planned, rewrite)
  return {
    missing,
    append,
    rewrite,
    restore: reference.bases,
    overruled: findOverruled(planned, rewrite, append),
    lost: files.flatMap((file) => (reference.bases.has(file.name) ? [] : lostIn(file, reference))),
  }
}

function missingLines(reference: ChainReference, live: ReadonlySet<string>): MissingLine[] {
  return [...reference.segments].flatMap(([file, lines]) =>
    splitAtSeal(lines)
      .counting.filter(({ text, record }) => !live.has(text) && !isStructural(record))
      .map((line) => ({ file, line })),
  )
}

function planAppends(
  { before, missing, isWritten }: Planned,
  rewrite: ReadonlyMap<string, string[]>,
): Line[] {
  if (!isWritten) return []
  const placed = new Set([...rewrite.values()].flat())
  return missing.flatMap(({ line }) => {
    // Also what gets its old place: live writers must meet it before it can overrule them.
    const raises = wantedGenerations(line.record).length > 0 && !needsItsPlace(line, before)
    return raises || !placed.has(line.text) ? [line] : []
  })
}

/** What counted as it was committed, and does not once everything is put back. */
function findOverruled(
  { chain, files, reference, missing }: Planned,
  rewrite: ReadonlyMap<string, string[]>,
  append: readonly Line[],
): Line[] {
  if (missing.length === 0) return []
  const known = new Map<string, Line>()
  for (const lines of [...reference.segments.values(), ...files.map((file) => file.lines)]) {
    for (const line of lines) known.set(line.text, line)
  }
  const committed = new Map([...reference.segments].map(([name, lines]) => [name, textsOf(lines)]))
  const once = judgeChain(chain.clone, orderedLines(files, committed, known))
  const then = judgeChain(chain.clone, [...orderedLines(files, rewrite, known), append])
  return missing
    .map(({ line }) => line)
    .filter(({ text }) => once.counted.has(text) && !then.counted.has(text))
}
