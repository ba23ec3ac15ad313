import type { Mended } from '../../domain/finding.js'
import { count } from './count.js'
import type { Line } from './scan-lines.js'

/** What a repair has done so far. */
export interface Tally {
  appended: number
  rewritten: Set<string>
  restored: number
  overruled: Map<string, Line>
  lost: string[]
}

export function receipt(tally: Tally, aside: string): Mended {
  const parts = [
    ...(tally.rewritten.size > 0 ? [`wrote ${[...tally.rewritten].join(', ')} anew`] : []),
    ...(tally.restored > 0 ? [`${count(tally.restored, 'record')} put back in place`] : []),
    ...(tally.appended > 0 ? [`${count(tally.appended, 'record')} put back by appending`] : []),
  ]
  const left = [
    ...(tally.lost.length > 0
      ? [`nothing in history tells what stood in ${tally.lost.join(', ')}; the damaged lines are in ${aside}`]
      : []),
    ...(tally.overruled.size > 0
      ? [
          `${count(tally.overruled.size, 'record')} put back without effect, since others took the same bead or id meanwhile: ${[
            ...tally.overruled.values(),
          ]
            .map(({ record }) => `${record.t} by ${record.by}`)
            .join(', ')}`,
        ]
      : []),
  ]
  return {
    did: parts.length > 0 ? parts.join('; ') : 'committed the log as it is: every committed record is in it',
    ...(tally.rewritten.size > 0 ? { undo: `the files as they were: ${aside}` } : {}),
    ...(left.length > 0 ? { left: left.join('; ') } : {}),
  }
}
