/** What an examination found; shown by `gt doctor`. */

/** `ok` and `note` are no problems; `warning` and `error` are, until they are mended. */
export const SEVERITIES = ['ok', 'note', 'warning', 'error'] as const
export type Severity = (typeof SEVERITIES)[number]

export interface Finding {
  /** Stable, kebab-case: `log-bad-line`. */
  id: string
  severity: Severity
  /** One sentence that names the thing and the fact. */
  what: string
  /** File and offset, or the entity. */
  where?: string
  /** What a person can do, best a command that can be run. */
  hint?: string
  /** Only repairs that lose nothing. */
  fix?: Fix
}

export interface Fix {
  /** What it would do, in the infinitive: `restore it from history`. */
  what: string
  /** Safe beside running writers, and safe to repeat after it was killed. */
  apply(): Promise<Mended>
}

/** A receipt for one repair. */
export interface Mended {
  did: string
  /** How to take it back. */
  undo?: string
  /** What could not be mended. */
  left?: string
}

export function isProblem(finding: Finding): boolean {
  return finding.severity === 'warning' || finding.severity === 'error'
}
