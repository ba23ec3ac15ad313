import { GtError } from '../domain/errors.js'
import { type Finding, type Fix, isProblem, type Mended } from '../domain/finding.js'
import type { Check, Patient } from './check.js'

export interface DoctorOptions {
  /** Do the safe repairs; else nothing is changed. */
  fix: boolean
  deep: boolean
}

export interface Examination {
  groups: { group: string; findings: Finding[] }[]
  /** What was repaired, in order. */
  mended: (Mended & { finding: string })[]
  /** Problems that are left. */
  problems: number
  /** Of these, how many `--fix` would mend. */
  fixable: number
}

/** A repair may uncover what the damage hid. */
const MAX_ROUNDS = 4

/** Examines a town; with `fix`, repairs, and looks again until nothing more can be mended. */
export async function runDoctor(
  patient: Patient,
  checks: readonly Check[],
  options: DoctorOptions,
): Promise<Examination> {
  const mended: Examination['mended'] = []
  const tried = new Set<string>()
  let groups = await examine(patient, checks, options.deep)
  for (let round = 0; options.fix && round < MAX_ROUNDS; round++) {
    const done = await applyFixes(groups, tried)
    if (done.length === 0) break
    mended.push(...done)
    // What takes seconds was looked at; what was repaired needs no second trial of the disk.
    groups = await examine(patient, checks, false)
  }
  const open = groups.flatMap(({ findings }) => findings).filter(isProblem)
  const left = mended.filter((one) => one.left !== undefined).length
  return {
    groups,
    mended,
    problems: open.length + left,
    fixable: options.fix ? 0 : open.filter(({ fix }) => fix !== undefined).length,
  }
}

async function examine(
  patient: Patient,
  checks: readonly Check[],
  deep: boolean,
): Promise<Examination['groups']> {
  const groups: Examination['groups'] = []
  for (const check of checks) {
    const findings = await runCheck(patient, check, deep)
    const known = groups.find(({ group }) => group === check.group)
    if (known === undefined) groups.push({ group: check.group, findings })
    else known.findings.push(...findings)
  }
  return groups
}

async function runCheck(patient: Patient, check: Check, deep: boolean): Promise<Finding[]> {
  try {
    return await check.run(patient, { deep })
  } catch (error) {
    if (!(error instanceof GtError) || error.exitCode === BUG_EXIT) throw error
    return [
      {
        id: `${check.group}-unknown`,
        severity: 'error',
        what: `could not be looked at: ${error.message}`,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
    ]
  }
}

const BUG_EXIT = 70

/** Each fix once, whoever shares it; the same finding is not tried a second time after its fix did not help. */
async function applyFixes(groups: Examination['groups'], tried: Set<string>): Promise<Examination['mended']> {
  const fixes = new Map<Fix, Finding>()
  for (const finding of groups.flatMap(({ findings }) => findings)) {
    const key = `${finding.id} ${finding.where}`
    if (finding.fix === undefined || !isProblem(finding) || tried.has(key)) continue
    tried.add(key)
    if (!fixes.has(finding.fix)) fixes.set(finding.fix, finding)
  }
  const mended: Examination['mended'] = []
  for (const [fix, { id }] of fixes) mended.push({ finding: id, ...(await applyFix(fix)) })
  return mended
}

async function applyFix(fix: Fix): Promise<Mended> {
  try {
    return await fix.apply()
  } catch (error) {
    if (!(error instanceof GtError) || error.exitCode === BUG_EXIT) throw error
    return { did: 'nothing', left: `could not ${fix.what}: ${error.message}` }
  }
}
