import type { Finding } from '../../domain/finding.js'
import { readOp } from '../read-op.js'
import { isStructural, splitAtSeal } from './chain-verdicts.js'
import { count } from './count.js'
import type { ExaminedChain } from './examine-chains.js'
import type { Line } from './scan-lines.js'
import { countingFiles, type ScannedFile } from './scan-log.js'

/** An unfinished line at the end of the newest file may be a writer at work. */
function tornLines(files: readonly ScannedFile[]): number {
  return files.reduce((sum, { junk, unfinishedBytes }, i) => {
    const isLeft = unfinishedBytes > 0 && i < files.length - 1
    return sum + junk.filter(({ kind }) => kind === 'torn').length + (isLeft ? 1 : 0)
  }, 0)
}

/** Harmless, but never in silence. */
export function logNotes(chains: readonly ExaminedChain[]): Finding[] {
  const files = chains.flatMap(({ chain }) => countingFiles(chain))
  const torn = chains.reduce((sum, { chain }) => sum + tornLines(countingFiles(chain)), 0)
  const behind = files.reduce((sum, file) => sum + behindSeal(file), 0)
  const unknown = files.reduce(
    (sum, { lines }) => sum + lines.reduce((n, line) => n + unknownOps(line), 0),
    0,
  )
  return [
    ...(torn > 0
      ? [
          note(
            'log-torn',
            `${count(torn, 'torn line')}: what killed writers or a full disk left, never acknowledged`,
          ),
        ]
      : []),
    ...(behind > 0
      ? [
          note(
            'log-after-seal',
            `${count(behind, 'record')} behind a seal: void, their writers wrote them again`,
          ),
        ]
      : []),
    ...(unknown > 0
      ? [note('log-unknown-op', `${count(unknown, 'operation')} of a newer gt: kept, not understood here`)]
      : []),
  ]
}

function note(id: string, what: string): Finding {
  return { id, severity: 'note', what }
}

function behindSeal({ lines: all }: ScannedFile): number {
  // A second seal is what two writers leave that both found the segment long.
  return splitAtSeal(all).behind.filter(({ record }) => !isStructural(record)).length
}

function unknownOps({ record }: Line): number {
  return record.ops.filter((op) => readOp(op) === undefined).length
}
