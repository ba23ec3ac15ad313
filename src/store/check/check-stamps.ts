import type { Finding } from '../../domain/finding.js'
import { stampMs } from '../stamp.js'
import { splitAtSeal } from './chain-verdicts.js'
import { count } from './count.js'
import type { ExaminedChain } from './examine-chains.js'
import { countingFiles } from './scan-log.js'

const MAX_BACK_MS = 3_600_000
const MAX_AHEAD_MS = 86_400_000

export interface StampCheck {
  nowMs: number
  /** Ids that this directory writes under now or did before. */
  ownClones: readonly string[]
}

/** Clocks that were wrong, and lines in files of another clone. */
export function checkStamps(
  { chain, ownership }: ExaminedChain,
  { nowMs, ownClones }: StampCheck,
): Finding[] {
  const findings: Finding[] = []
  let greatest = { ms: 0, t: '' }
  const back: string[] = []
  const ahead: string[] = []
  const strange = new Map<string, string>()
  for (const file of countingFiles(chain)) {
    if (file.isBase) continue
    for (const { record, offset } of splitAtSeal(file.lines).counting) {
      const ms = stampMs(record.t)
      const where = `log/${file.name} at byte ${offset}`
      if (ms < greatest.ms - MAX_BACK_MS && ms > 0) back.push(where)
      if (ms > nowMs + MAX_AHEAD_MS) ahead.push(where)
      else if (ms > greatest.ms) greatest = { ms, t: record.t }
      const writer = record.t.slice(30, 35)
      if (writer !== chain.clone && !ownClones.includes(writer)) strange.set(writer, where)
    }
  }
  if (ahead.length > 0) {
    findings.push({
      id: 'log-stamp-ahead',
      severity: 'warning',
      what: `${count(ahead.length, 'record')} of ${chain.clone} dated more than a day ahead: what they set wins until then`,
      where: ahead[0] ?? '',
      hint: 'check the clock of that machine; a later change of the same field goes over it',
    })
  }
  if (back.length > 0) {
    findings.push({
      id: 'log-stamp-back',
      severity: 'note',
      what: `${count(back.length, 'record')} of ${chain.clone} dated more than an hour before their predecessors: a clock was set back`,
      where: back[0] ?? '',
    })
  }
  for (const [writer, where] of strange) {
    findings.push({
      id: 'log-foreign-lines',
      severity: ownership === 'foreign' ? 'note' : 'warning',
      what: `the files of ${chain.clone} hold records of ${writer}`,
      where,
      hint: 'lines that a hand copied between files; they count, under the wrong clone',
    })
  }
  return findings
}
