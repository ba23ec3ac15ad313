import type { GtError } from '../domain/errors.js'
import type { Finding } from '../domain/finding.js'
import type { Clock } from '../ports/clock.js'
import type { Host } from '../ports/host.js'
import type { Upkeep } from '../ports/upkeep.js'
import type { Town } from './town.js'

/** A town as `gt doctor` finds it: perhaps one that no other command can open. */
export interface Patient {
  root: string
  /** Absent when it cannot be opened; `why` says why. */
  town?: Town
  why?: GtError
  host: Host
  clock: Clock
  env: Readonly<Record<string, string | undefined>>
  upkeep(): Promise<Upkeep>
}

/**
 * One part of an examination: a file in src/app/checks, whose default export this is. Looks and changes nothing; what it could
 * not look at is a finding, never silence. Errors that it throws become findings.
 */
export interface Check {
  /** One word: the heading of its findings. */
  group: string
  run(patient: Patient, options: { deep: boolean }): Promise<Finding[]>
}

export function defineCheck(check: Check): Check {
  return check
}
