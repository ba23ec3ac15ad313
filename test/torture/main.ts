import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Crew } from './crew.js'
import { parseOptions, type TortureOptions, USAGE } from './options.js'
import { type Phase, type PhaseContext, type RunThreeClones, Tally } from './phase.js'
import { PHASES } from './phases.js'
import { openProgress } from './progress.js'
import { type Finding, markdownReport, tableOf } from './report.js'

/**
 * @param scriptPath - where a bundled worker lies
 * @returns the exit code
 */
export async function main(
  argv: readonly string[],
  scriptPath: (name: string) => string,
  runThreeClones: RunThreeClones,
): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(`${USAGE}\nPhases:\n${phaseList()}`)
    return 0
  }
  let options: TortureOptions
  try {
    options = parseOptions(
      argv,
      PHASES.map(({ name }) => name),
    )
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    return 2
  }
  // Whoever interrupts it wants its processes and mounts gone, too: `exit` handlers see to that.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  return torture({ options, crew: new Crew(scriptPath), runThreeClones })
}

function phaseList(): string {
  return PHASES.map(({ name, title }) => `  ${name.padEnd(16)} ${title}\n`).join('')
}

type Whole = Pick<PhaseContext, 'options' | 'crew' | 'runThreeClones'>

async function torture(whole: Whole): Promise<number> {
  const { options } = whole
  const findings: Finding[] = []
  const chosen = PHASES.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const started = performance.now()
  for (const phase of chosen) findings.push(await runPhase(phase, whole))
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(`\n${tableOf(findings)}\n`)
  if (options.report !== undefined) writeFileSync(options.report, markdownReport(findings, options, seconds))
  const lost = findings.reduce((sum, { tally }) => sum + tally.lossCount, 0)
  process.stdout.write(
    lost === 0
      ? `nothing was lost (seed ${options.seed}, ${seconds.toFixed(0)} s)\n`
      : `${lost} LOSSES (seed ${options.seed})\n`,
  )
  return lost === 0 ? 0 : 1
}

async function runPhase(phase: Phase, whole: Whole): Promise<Finding> {
  const tally = new Tally()
  const folder = mkdtempSync(join(tmpdir(), `gt-torture-${phase.name}-`))
  const progress = openProgress(phase.name, tally)
  const started = performance.now()
  try {
    await phase.run({ ...whole, tally, folder, progress: progress.say })
  } catch (error) {
    // A phase that cannot go on has proved nothing.
    tally.lose(`the phase broke off: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    whole.crew.killAll()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
  const seconds = (performance.now() - started) / 1000
  progress.end(seconds)
  return { phase, tally, seconds }
}
