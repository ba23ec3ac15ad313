import { keepHouse } from '../app/keep-house.js'
import type { Town } from '../app/town.js'
import type { CliContext, Io, OptionValues, Output } from './command.js'

/** How a town is opened; the command line and its fast path load that part differently. */
export type OpenTown = (around: {
  town?: string
  cwd: string
  env: Io['env']
  packageDir: string
  pid: number
  remark: (text: string) => void
}) => Promise<Town>

export function makeContext(io: Io, options: OptionValues, openTown: OpenTown): CliContext {
  const townOption = typeof options.town === 'string' ? options.town : undefined
  const json = options.json === true
  const quiet = options.quiet === true
  const noColor = options.color === false || (io.env.NO_COLOR !== undefined && io.env.NO_COLOR !== '')
  let town: Promise<Town> | undefined
  return {
    io,
    json,
    quiet,
    color: !noColor && !json && io.stdout.isTTY === true && io.env.TERM !== 'dumb',
    ...(townOption === undefined ? {} : { townOption }),
    town: () => {
      const { cwd, env, packageDir, pid } = io
      town ??= openTown({
        cwd,
        env,
        packageDir,
        pid,
        remark: (text) => {
          if (!quiet) io.stderr.write(`${text}\n`)
        },
        ...(townOption === undefined ? {} : { town: townOption }),
      })
      return town
    },
    afterwards: async () => {
      if (town) await keepHouse(await town)
    },
    note: (line) => {
      if (!quiet) io.stderr.write(`${line}\n`)
    },
  }
}

export async function print(output: Output, context: CliContext): Promise<void> {
  const { stdout } = context.io
  let text: string
  if (context.json)
    text = `${JSON.stringify(typeof output.data === 'function' ? output.data() : output.data)}\n`
  else if (output.text === undefined) return
  else {
    const joined = typeof output.text === 'string' ? output.text : output.text.join('\n')
    if (joined === '') return
    text = joined.endsWith('\n') ? joined : `${joined}\n`
  }
  await new Promise<void>((resolve) => stdout.write(text, () => resolve()))
}
