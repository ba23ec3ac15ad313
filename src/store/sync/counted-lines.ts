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

/**
 * The lines of our copy of a chain that count, in their order: not void, and more than heads, seals and trailers. Folded
 * alone, for within a chain only its own lines make a line void.
 */
export function countedLines(place: Place, clone: string): CountedLine[] {
  const table = new EntityTable(undefined, place.settings.now)
  const counted: CountedLine[] = []
  const held = heldFiles(place, clone)
  const files = groupLog(held.keys()).get(clone) ?? noFiles()
  const base = files.bases.at(-1) ?? 0
  const names = [
    ...(files.baseFiles.get(base) ?? []),
    ...files.segments.filter((number) => number > base).map((number) => segmentName(clone, number)),
  ]
  for (const name of names) {
    scanLog(held.get(name)?.() ?? Buffer.alloc(0), (record, line) => {
      const verdict = applyRecord(table, clone, record)
      if (verdict !== 'void') counted.push({ line, record })
    })
  }
  return counted
}
