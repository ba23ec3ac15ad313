import { EntityTable } from '../entity-table.js'
import { applyRecord } from '../fold.js'
import { groupLog, noFiles, segmentName } from '../layout.js'
import type { LogRecord } from '../record-line.js'
import { heldFiles, type Place } from './apply-chain.js'
import { scanLog } from './scan-log.js'

export interface CountedLine {
  line: string
  record: LogRecord
}

/** Of the names of a chain, those that count: the newest whole base and the segments behind it, in their order. */
export function countingNames(clone: string, names: Iterable<string>): string[] {
  const files = groupLog(names).get(clone) ?? noFiles()
  const base = files.bases.at(-1) ?? 0
  return [
    ...(files.baseFiles.get(base) ?? []),
    ...files.segments.filter((number) => number > base).map((number) => segmentName(clone, number)),
  ]
}

/**
 * The lines of our copy of a chain that count, in their order: not void, and more than heads, seals and trailers. Folded
 * alone, for within a chain only its own lines make a line void.
 */
export function countedLines(place: Place, clone: string): CountedLine[] {
  const table = new EntityTable(undefined, place.settings.now)
  const counted: CountedLine[] = []
  const held = heldFiles(place, clone)
  for (const name of countingNames(clone, held.keys())) {
    scanLog(held.get(name)?.() ?? Buffer.alloc(0), (record, line) => {
      const verdict = applyRecord(table, clone, record)
      if (verdict !== 'void') counted.push({ line, record })
    })
  }
  return counted
}
