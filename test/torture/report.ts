import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import type { TortureOptions } from './options.js'
import type { Phase, Tally } from './phase.js'

export interface Finding {
  phase: Phase
  tally: Tally
  seconds: number
}

/** For the terminal. */
export function tableOf(findings: readonly Finding[]): string {
  const rows = [['phase', 'faults', 'checks', 'losses', 'time'], ...findings.map(cellsOf)]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const align = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((row) => `${row.map(align).join('  ')}\n`).join('')
}

function cellsOf({ phase, tally, seconds }: Finding): string[] {
  return [
    phase.name,
    String(tally.faults),
    String(tally.checks),
    String(tally.lossCount),
    `${seconds.toFixed(1)} s`,
  ]
}

/** For people who were not there. */
export function markdownReport(
  findings: readonly Finding[],
  options: TortureOptions,
  seconds: number,
): string {
  const lost = findings.reduce((sum, { tally }) => sum + tally.lossCount, 0)
  return [
    `Run on ${new Date().toISOString()}, ${(seconds / 60).toFixed(1)} minutes, seed ${options.seed}, \`${commandOf(options)}\`:`,
    `**${lost === 0 ? 'nothing was lost' : `${lost} losses`}**.\n`,
    machine(),
    '',
    '| Phase | What it does | Faults | Checks | Losses | Time |',
    '|---|---|--:|--:|--:|--:|',
    ...findings.map(
      (finding) =>
        `| ${[finding.phase.name, finding.phase.title, ...cellsOf(finding).slice(1)].join(' | ')} |`,
    ),
    '',
    ...findings.flatMap(detailsOf),
    '',
  ].join('\n')
}

function commandOf({ kills, interleavings, seed, only }: TortureOptions): string {
  const chosen = only.map((name) => ` --only ${name}`).join('')
  return `npm run torture -- --kills ${kills} --interleavings ${interleavings} --seed ${seed}${chosen}`
}

function detailsOf({ phase, tally }: Finding): string[] {
  const facts = [...tally.facts].map(([name, count]) => `${name} ${count}`).join(' · ')
  return [
    `- **${phase.name}**: ${facts === '' ? 'no counts' : facts}`,
    ...tally.skipped.map((reason) => `  - not tried: ${reason}`),
    ...tally.losses.map((loss) => `  - LOST: \`${loss.replaceAll('`', "'")}\``),
  ]
}

function machine(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(', ')
  const parts = [
    `${cpus().length} cores (${cpus()[0]?.model.trim()})`,
    memory,
    `${process.platform} ${release()}`,
    `${fileSystem()} under the temporary folder`,
    `Node ${process.versions.node}`,
    output('git', ['--version']),
    `load at the end ${load}`,
  ]
  return `Machine: ${parts.join(' · ')}.`
}

function fileSystem(): string {
  return output('df', ['--output=fstype', tmpdir()]).split('\n').at(-1) ?? ''
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return `${program}: unknown`
  }
}
