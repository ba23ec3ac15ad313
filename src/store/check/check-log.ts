import type { Finding, Fix } from '../../domain/finding.js'
import { FORMAT } from '../layout.js'
import { readOp } from '../read-op.js'
import { isStructural } from './chain-verdicts.js'
import { checkStamps, type StampCheck } from './check-stamps.js'
import { count } from './count.js'
import type { ExaminedChain, ExaminedLog } from './examine-chains.js'
import { logNotes } from './log-notes.js'
import { countingFiles, parseLogName, type ScannedChain, type ScannedFile } from './scan-log.js'

/** Of many alike, so many are named. */
const NAMED = 5

export interface LogCheck extends StampCheck {
  examined: ExaminedLog
  /** Mends whatever is damaged in any chain. */
  fix: Fix
}

/** Everything that can be said about the lines of the log, file by file. */
export function checkLog(check: LogCheck): Finding[] {
  const { chains } = check.examined
  const findings = chains.flatMap((chain) => [
    ...checkFiles(chain, check),
    ...checkMissing(chain, check),
    ...checkGaps(chain, check),
    ...checkFormat(chain),
    ...checkStamps(chain, check),
  ])
  return [...findings, ...logNotes(chains), ...(findings.length === 0 ? [allWhole(chains)] : [])]
}

function checkFiles(examined: ExaminedChain, { fix }: LogCheck): Finding[] {
  const { chain, plan } = examined
  return countingFiles(chain).flatMap((file): Finding[] => {
    if (file.unreadable !== undefined) return [unreadable(file, fix)]
    const bad = file.junk.filter(({ kind }) => kind === 'bad')
    const isTrailerWrong = file.name === chain.baseFiles.at(-1) && trailerDiffers(chain)
    if (bad.length === 0 && !isTrailerWrong) return []
    const lost = plan.lost.filter((one) => one.file === file.name).length
    const places = bad.slice(0, NAMED).map(({ offset }) => offset)
    return [
      {
        id: 'log-bad-line',
        severity: 'error',
        what:
          bad.length === 0
            ? `${file.name} does not hold as many entities as its last line says`
            : `${file.name}: ${lines(bad.length)} with a wrong checksum: bit rot, or a hand${lost > 0 ? `; history does not know ${lost} of them` : ''}`,
        where: `log/${file.name}${places.length > 0 ? ` at byte ${places.join(', ')}${bad.length > NAMED ? ', …' : ''}` : ''}`,
        ...(file.isBase && !plan.restore.has(file.name)
          ? { hint: 'no good copy is in history; another machine of this town may have one' }
          : { fix }),
      },
    ]
  })
}

function unreadable(file: ScannedFile, fix: Fix): Finding {
  const why = file.unreadable === 'EISDIR' ? 'it is a folder' : file.unreadable
  return {
    id: 'log-unreadable',
    severity: 'error',
    what: `${file.name} cannot be read: ${why}`,
    where: `log/${file.name}`,
    fix,
  }
}

/** A base may be cut into several files; the trailer in the last one counts them all. */
function trailerDiffers(chain: ScannedChain): boolean {
  const ops = countingFiles(chain)
    .filter(({ isBase }) => isBase)
    .flatMap(({ lines }) => lines.flatMap(({ record }) => record.ops.map((op) => readOp(op))))
  const trailer = ops.find((op) => op?.o === 'base')
  return trailer?.o !== 'base' || trailer.n !== ops.filter((op) => op?.o === 'st').length
}

function checkMissing({ chain, plan, reference, ownership }: ExaminedChain, { fix }: LogCheck): Finding[] {
  const findings: Finding[] = []
  const byFile = new Map<string, number>()
  for (const { file, line } of plan.missing) {
    if (!isStructural(line.record)) byFile.set(file, (byFile.get(file) ?? 0) + 1)
  }
  for (const [file, number] of byFile) {
    const isGone = !chain.files.some(({ name }) => name === file)
    findings.push({
      id: isGone ? 'log-file-missing' : 'log-lines-missing',
      severity: 'error',
      what: `${file} ${isGone ? 'is gone' : 'lost lines'}: ${count(number, 'record')} that history holds`,
      where: `log/${file}`,
      fix,
    })
  }
  for (const name of plan.restore.keys()) {
    const isGone = !chain.files.some((file) => file.name === name)
    findings.push({
      id: isGone ? 'log-file-missing' : 'log-base-changed',
      severity: 'error',
      what: `${name} ${isGone ? 'is gone' : 'is not what was committed'}`,
      where: `log/${name}`,
      fix,
    })
  }
  // A compacted file that was changed and cannot be restored was named with its bad lines.
  if (ownership === 'foreign') return findings
  for (const name of reference.changed) {
    if (byFile.has(name) || plan.restore.has(name) || parseLogName(name)?.isBase === true) continue
    findings.push({
      id: 'log-changed',
      severity: 'warning',
      what: `${name} was changed by hand: every committed record is still in the log, but history takes no more of this file`,
      where: `log/${name}`,
      fix,
    })
  }
  return findings
}

function checkGaps({ chain, plan }: ExaminedChain, { fix }: LogCheck): Finding[] {
  const numbers = countingFiles(chain).flatMap(({ isBase, number }) => (isBase ? [] : [number]))
  const findings: Finding[] = []
  let expected = chain.base + 1
  for (const number of numbers) {
    if (number > expected)
      findings.push(gap(chain.clone, expected, number - 1, plan.rewrite.size + plan.restore.size > 0, fix))
    expected = number + 1
  }
  return findings
}

function gap(clone: string, from: number, to: number, isKnown: boolean, fix: Fix): Finding {
  const range = from === to ? `segment ${from}` : `segments ${from} to ${to}`
  return {
    id: 'log-gap',
    severity: 'error',
    what: `${range} of ${clone} missing`,
    where: `log/${clone}-${String(from).padStart(6, '0')}.jsonl`,
    ...(isKnown
      ? { fix }
      : { hint: 'history does not hold them; another machine of this town may: gt sync' }),
  }
}

function checkFormat({ chain }: ExaminedChain): Finding[] {
  const newer = chain.files.find(({ lines }) =>
    lines.some(({ record }) =>
      record.ops.some((value) => {
        const op = readOp(value)
        return op?.o === 'head' && op.format > FORMAT
      }),
    ),
  )
  if (newer === undefined) return []
  return [
    {
      id: 'log-format',
      severity: 'error',
      what: `${newer.name} was written by a newer gt: it is read, and nothing is written here until gt is updated`,
      where: `log/${newer.name}`,
      hint: 'update gt',
    },
  ]
}

function allWhole(chains: readonly ExaminedChain[]): Finding {
  const files = chains.flatMap(({ chain }) => countingFiles(chain))
  const records = files.reduce((sum, file) => sum + file.lines.length, 0)
  return {
    id: 'log',
    severity: 'ok',
    what: `log: ${count(records, 'record')} in ${count(files.length, 'file')} of ${count(chains.length, 'clone')}, every one whole`,
  }
}

function lines(number: number): string {
  return count(number, 'line')
}
