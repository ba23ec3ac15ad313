import type { LogRecord } from '../record-line.js'
import { countingNames } from './counted-lines.js'
import { scanLog } from './scan-log.js'

/** Files of one chain by their names in `log/`. */
export type ChainContent = ReadonlyMap<string, Buffer>

/** Visits the records of a chain in their order: of its newest base, then of the segments behind it. */
export function chainRecords(
  clone: string,
  content: ChainContent,
  visit: (record: LogRecord, line: string) => void,
): void {
  for (const name of countingNames(clone, content.keys()))
    scanLog(content.get(name) ?? Buffer.alloc(0), visit)
}
