import { own } from '../entity-state.js'
import { EntityTable } from '../entity-table.js'
import { applyRecord } from '../fold.js'
import { readOp } from '../read-op.js'
import type { LogRecord } from '../record-line.js'

/** The greatest stamp plays no part in what counts. */
const ANY_TIME_MS = 0

/** A line, and what decides about it. */
export interface Judged {
  text: string
  record: LogRecord
}

export interface Verdicts {
  /** Texts of the lines that count: neither void nor behind a seal. */
  counted: Set<string>
  generationOf(id: string): number
  /** Ids with something in the chain but no `new`. */
  unborn: string[]
}

/** What of one chain counts. Other chains play no part in that. @param files - lines of each file, in order */
export function judgeChain(clone: string, files: readonly (readonly Judged[])[]): Verdicts {
  const table = new EntityTable(undefined, () => ANY_TIME_MS)
  const counted = new Set<string>()
  for (const lines of files) {
    for (const { text, record } of lines) {
      const verdict = applyRecord(table, clone, record)
      // A second copy is void or changes nothing; the first decided.
      if (verdict !== 'void') counted.add(text)
      if (verdict === 'sealed') break
    }
  }
  return {
    counted,
    generationOf: (id) => {
      const state = table.peek(id)?.state
      return state === undefined ? 0 : (own(state.ch, clone) ?? 0)
    },
    unborn: [...table.overlay.values()].filter(({ k }) => k === undefined).map(({ id }) => id),
  }
}

/** Which generation of which entity the record wants; empty when nothing can make it void. */
export function wantedGenerations(record: LogRecord): { id: string; generation: number }[] {
  return record.ops.flatMap((value) => {
    const op = readOp(value)
    if (op?.o === 'new') return [{ id: op.id, generation: 1 }]
    return op?.o === 'move' ? [{ id: op.id, generation: op.gen }] : []
  })
}

/** Heads, seals and trailers hold a file together and say nothing about the town. */
export function isStructural(record: LogRecord): boolean {
  return record.ops.every((value) => {
    const op = readOp(value)
    return op?.o === 'head' || op?.o === 'seal' || op?.o === 'base'
  })
}

/** What counts of a file, its first seal, and what stands behind that. */
export function splitAtSeal<T extends Judged>(lines: readonly T[]): { counting: T[]; seal?: T; behind: T[] } {
  const at = lines.findIndex(({ record }) => isSeal(record))
  const seal = lines[at]
  if (seal === undefined) return { counting: [...lines], behind: [] }
  return { counting: lines.slice(0, at), seal, behind: lines.slice(at + 1) }
}

export function isSeal(record: LogRecord): boolean {
  return record.ops.some((value) => readOp(value)?.o === 'seal')
}
