export interface TortureOptions {
  /** Processes to kill while they work on a store. */
  kills: number
  /** Random histories to fold in many orders. */
  interleavings: number
  seed: number
  /** Names of phases; empty: all. */
  only: string[]
  /** Where the Markdown report goes. */
  report: string | undefined
}

const DEFAULTS: TortureOptions = { kills: 1000, interleavings: 10_000, seed: 1, only: [], report: undefined }

export const USAGE = `npm run torture [-- options]

  --kills N           processes killed with SIGKILL while they work on a store (${DEFAULTS.kills})
  --interleavings N   random histories of 2 to 4 clones, each folded in many orders (${DEFAULTS.interleavings})
  --seed S            where all chance starts (${DEFAULTS.seed}); a failure prints the seed that shows it again
  --only NAME         only this phase; may be given several times, or with commas
  --report FILE       also writes what was found as Markdown

Exit code: 0 nothing was lost, 1 something was, 2 wrong arguments.
`

/** @throws Error whose message says what is wrong */
export function parseOptions(argv: readonly string[], phases: readonly string[]): TortureOptions {
  const options = { ...DEFAULTS, only: [] as string[] }
  for (let i = 0; i < argv.length; i += 2) {
    const [flag = '', value] = [argv[i], argv[i + 1]]
    if (value === undefined) throw new Error(`${flag} needs a value`)
    if (flag === '--kills') options.kills = wholeNumber(flag, value)
    else if (flag === '--interleavings') options.interleavings = wholeNumber(flag, value)
    else if (flag === '--seed') options.seed = wholeNumber(flag, value)
    else if (flag === '--report') options.report = value
    else if (flag === '--only') options.only.push(...value.split(',').map((name) => known(name, phases)))
    else throw new Error(`unknown option ${flag}`)
  }
  return options
}

function wholeNumber(flag: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 0) throw new Error(`${flag} needs a whole number, not ${value}`)
  return number
}

function known(name: string, phases: readonly string[]): string {
  if (!phases.includes(name)) throw new Error(`no phase ${name}; there are: ${phases.join(', ')}`)
  return name
}
