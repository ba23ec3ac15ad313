import type { Examination } from '../app/run-doctor.js'
import type { Finding, Severity } from '../domain/finding.js'
import { plain } from './table.js'

const MARKS: Record<Severity, { unicode: string; ascii: string }> = {
  ok: { unicode: '✓', ascii: 'ok' },
  note: { unicode: '·', ascii: '- ' },
  warning: { unicode: '!', ascii: '! ' },
  error: { unicode: '✕', ascii: 'X ' },
}

/** Of one group, so many of a kind are listed; `--json` has all. */
const MOST_ALIKE = 8

/** One screen: what is well in a line each, what is wrong with what helps. */
export function doctorText(
  root: string,
  examination: Examination,
  options: { fix: boolean; unicode: boolean },
): string[] {
  const { groups, mended, problems, fixable } = examination
  return [
    `doctor  ${root}`,
    '',
    ...groups
      .filter(({ findings }) => findings.length > 0)
      .flatMap(({ group, findings }) => groupLines(group, findings, options)),
    ...(mended.length === 0 ? [] : ['', 'done:', ...mended.flatMap(mendedLines)]),
    '',
    verdict(problems, fixable, mended.length),
  ]
}

function groupLines(
  group: string,
  findings: readonly Finding[],
  options: { fix: boolean; unicode: boolean },
): string[] {
  const alike = new Map<string, number>()
  const lines = findings.flatMap((finding) => {
    const seen = (alike.get(finding.id) ?? 0) + 1
    alike.set(finding.id, seen)
    return seen > MOST_ALIKE ? [] : findingLines(finding, options)
  })
  for (const [id, number] of alike) {
    if (number > MOST_ALIKE) lines.push(`  … and ${number - MOST_ALIKE} more of ${id} (gt doctor --json)`)
  }
  return lines.map((line, i) => `${(i === 0 ? group : '').padEnd(8)}${line}`)
}

function findingLines(finding: Finding, { fix, unicode }: { fix: boolean; unicode: boolean }): string[] {
  const mark = MARKS[finding.severity][unicode ? 'unicode' : 'ascii']
  const { severity, what, where, hint } = finding
  const isProblem = severity === 'warning' || severity === 'error'
  // Most sentences name their thing already.
  const place =
    isProblem && where !== undefined && !what.includes(where.replace(/^log\//, ''))
      ? `  (${plain(where, 120)})`
      : ''
  const help = finding.fix !== undefined && !fix ? `gt doctor --fix: ${finding.fix.what}` : hint
  return [
    `${mark} ${plain(what, 300)}${place}`,
    ...(isProblem && help !== undefined ? [`  ${unicode ? '→' : '->'} ${plain(help, 200)}`] : []),
  ]
}

function mendedLines({ did, undo, left }: Examination['mended'][number]): string[] {
  return [
    `  ${plain(did, 400)}`,
    ...(undo === undefined ? [] : [`    undo: ${plain(undo, 300)} (in the store's folder)`]),
    ...(left === undefined ? [] : [`    not mended: ${plain(left, 600)}`]),
  ]
}

function verdict(problems: number, fixable: number, mended: number): string {
  if (problems === 0) return mended === 0 ? 'all is well' : 'all is well now'
  const few = problems === 1 ? '1 problem' : `${problems} problems`
  if (mended > 0) return `${few} left`
  return fixable === 0
    ? few
    : `${few}; gt doctor --fix mends ${fixable === problems ? (problems === 1 ? 'it' : 'all') : fixable}`
}
